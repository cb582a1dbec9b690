"""The Ising model: kernels, exact results, glasses, libraries of compositions."""
