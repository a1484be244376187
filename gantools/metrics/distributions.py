"""Distances between two sets of samples, given as feature vectors."""

import numpy as np


def frechet_distance(a, b):
    """Return the Frechet distance of two sets of feature vectors, as if both were normal.

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), covariances with n - 1.

    The estimate is too high by about c / n with a c that differs between models: compare only sets
    of the same size, and take at least 10 vectors a dimension. With other features than those of
    Inception it cannot be compared with published FIDs.

    Args:
        a, b: `(n, d)` real numbers, n >= 2; computed in float64.

    Returns:
        Squared distance in the features' units, a float >= 0 up to rounding.

    Raises:
        ValueError: not two sets of vectors of one length.

    Source: Heusel et al. 2017, arXiv 1706.08500, eq. 6. The trace of the root is the sum of the
    roots of the eigenvalues of C_a^(1/2) C_b C_a^(1/2), which is symmetric.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"Expected (n, d) and (m, d), n, m >= 2. Received: {a.shape}, {b.shape}.")
    cov_a, cov_b = (np.cov(x, rowvar=False).reshape(x.shape[1], -1) for x in (a, b))
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_b @ root), 0)).sum()
    gap = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    return float(gap + np.trace(cov_a) + np.trace(cov_b) - 2 * shared)
