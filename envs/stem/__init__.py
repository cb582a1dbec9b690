"""Electron microscope tasks: probes, atomic lattices, dose."""
