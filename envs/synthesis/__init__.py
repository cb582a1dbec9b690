"""Synthesis tasks: the Ising furnace."""
