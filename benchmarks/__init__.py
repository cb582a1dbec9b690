"""Benchmarks: evaluate agents, run sweeps, report."""

from mattergym.benchmarks.evaluate import Records, evaluate

__all__ = ["Records", "evaluate"]
