"""Ferroelectric films: Ginzburg-Landau dynamics, domains, hysteresis, writing."""
