"""Scanning probe tasks: ferroelectric films under a tip."""
