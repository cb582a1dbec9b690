"""Validation of the physics."""
