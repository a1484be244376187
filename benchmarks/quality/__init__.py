"""Quality: what the trained games cover and what the networks reach."""
