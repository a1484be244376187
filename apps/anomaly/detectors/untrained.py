"""The control of everything that learnt: features of a discriminator that was never trained.

Random strided convolutions already tell brightness, edges and roughness apart. A detector whose
features are not better than these has learnt nothing that tells the anomalies. On MNIST's 8 against
the other digits the AUROC is .90, where the nearest neighbours of pixels have .89 and the restorer
has .95 (`benchmarks.quality.anomaly --only mnist`).
"""

import numpy as np

from .memory import Gaussian

WIDTHS = (24, 48, 96)  # channels of the halvings, as in the restorer's discriminator at 32 pixels
KERNEL, SLOPE = 4, 0.2
ROWS = 256  # pictures at once


class Untrained:
    """Mahalanobis distance in what random convolutions see, averaged over places.

    Args:
        seed: Of the weights; they are kept with the model.

    Source: own arrangement; that random convolutions are features: Saxe et al. 2011, "On Random
    Weights and Unsupervised Feature Learning".
    """

    def __init__(self, seed=0):
        self.seed = seed
        self.kernels, self.gaussian = [], None
        self.level = self.spread = 0.0

    def fit(self, x):
        """Draw the weights and find the Gaussian of normals `(n, h, w)` or `(n, h, w, c)`."""
        x = np.asarray(x, np.float32)
        random, channels = np.random.default_rng(self.seed), 1 if x.ndim == 3 else x.shape[-1]
        for width in WIDTHS:
            inputs = KERNEL * KERNEL * channels
            kernel = random.normal(0, np.sqrt(2 / inputs), (inputs, width))
            self.kernels.append(kernel.astype(np.float32))
            channels = width
        self.level = np.float32(x.mean(dtype=np.float64))
        self.spread = np.float32(max(x.std(dtype=np.float64), 1e-6))
        self.gaussian = Gaussian.fit(self.features(x))
        return self

    def score(self, x):
        """Return `(n,)` float64 distances."""
        return self.gaussian.score(self.features(x))

    def features(self, x):
        """Return the mean over places of every halving, `(n, 168)` float32."""
        x = np.asarray(x, np.float32)
        x = (x if x.ndim == 4 else x[..., None]) - self.level
        parts = [self._looked(x[i : i + ROWS] / self.spread) for i in range(0, len(x), ROWS)]
        return np.concatenate(parts)

    def arrays(self):
        """Return the arrays that `from_arrays` needs."""
        kernels = {f"kernel{i}": kernel for i, kernel in enumerate(self.kernels)}
        return {**kernels, **self.gaussian.arrays(), "range": np.array([self.level, self.spread])}

    @classmethod
    def from_arrays(cls, arrays):
        """Return the fitted detector."""
        found = cls()
        found.kernels = [arrays[f"kernel{i}"] for i in range(len(WIDTHS))]
        found.gaussian = Gaussian(arrays["mean"], arrays["whiten"])
        found.level, found.spread = arrays["range"]
        return found

    def _looked(self, x):
        means = []
        for kernel in self.kernels:
            x = _halved(x, kernel)
            means.append(x.mean(axis=(1, 2)))
        return np.concatenate(means, axis=1)


def _halved(x, kernel):
    """Return a convolution of stride 2, "same" padding and a leaky ReLU.

    One product a picture: its numbers do not depend on how many there are.
    """
    n, *sides, _ = x.shape
    after = [-(-side // 2) for side in sides]
    spare = [max(2 * (b - 1) + KERNEL - a, 0) for a, b in zip(sides, after, strict=True)]
    x = np.pad(x, ((0, 0), *((s // 2, s - s // 2) for s in spare), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (KERNEL, KERNEL), axis=(1, 2))
    windows = windows[:, ::2, ::2].reshape(n, after[0] * after[1], -1)
    found = windows @ kernel
    return np.maximum(found, SLOPE * found).reshape(n, *after, -1)
