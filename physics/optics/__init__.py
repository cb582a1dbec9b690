"""Electron optics: aberrations, probes, Ronchigrams, the corrector."""
