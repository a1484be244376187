"""Measurements that anyone can repeat: `python -m benchmarks.quality.modes` and its neighbours.

Every command prints a table and appends one JSON line a measurement to `benchmarks/results/`.
"""
