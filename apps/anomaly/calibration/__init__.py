"""From raw scores to p-values and verdicts: held-out normals, groups, drift."""
