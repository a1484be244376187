"""Detectors against labels, over seeds, beside simple rows."""
