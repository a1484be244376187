"""Terms that hold an enlarged picture near the true one, beside the adversarial one."""

from keras import ops

WINDOW = 7  # side of the window of a local variance


def distance(a, b):
    """Return the mean absolute difference of two tensors of one shape, a float32 scalar."""
    return ops.mean(ops.abs(ops.cast(a, "float32") - ops.cast(b, "float32")))


def matching(found, wanted):
    """Return the mean over layers of the distance of a discriminator's features.

    Args:
        found: Activations of the made pictures, a list of tensors.
        wanted: Those of the true ones, the same shapes; they are not differentiated.

    Source: Wang et al. 2017, arXiv 1711.11585 (pix2pixHD), eq. 3.
    """
    pairs = zip(found, wanted, strict=True)
    return sum(distance(a, ops.stop_gradient(b)) for a, b in pairs) / len(found)


def artifacts(found, wanted, steadier):
    """Return how wrong pictures are where the generator invents: a float32 scalar.

    With R = sum over channels of |wanted - found|, the map M = v^(1/5) V has the variance v of R
    over a picture and V over windows of 7x7, and is 0 where R is less than that of `steadier`; the
    term is the mean of M |wanted - found|. M is not differentiated.

    Args:
        found, wanted: Pictures `(batch, h, w, c)`, sides at least 4, in units of full scale.
        steadier: What the averaged generator makes, likewise.

    Source: Liang et al. 2022, arXiv 2203.09195 (LDL), eq. 4 to 8; there M is differentiated.
    """
    apart = ops.abs(ops.cast(wanted, "float32") - ops.cast(found, "float32"))
    wrong = ops.sum(apart, axis=-1, keepdims=True)
    less = ops.sum(ops.abs(wanted - steadier), axis=-1, keepdims=True)
    whole = ops.power(ops.var(wrong, axis=(1, 2, 3), keepdims=True) + 1e-12, 0.2)
    invented = whole * local_variance(wrong) * ops.cast(wrong >= less, "float32")
    return ops.mean(ops.stop_gradient(invented) * apart)


def flatness(pictures, level):
    """Return where pictures are flat, `(batch, h, w, 1)`: l^2 / (l^2 + v), from 0 to 1.

    v is the variance of the 7x7 pixels around each, in the mean over the channels.

    Args:
        pictures: `(batch, h, w, c)`, sides at least 4.
        level: l, the standard deviation that counts as half flat, in the pictures' units.
    """
    spread = ops.mean(local_variance(ops.cast(pictures, "float32")), axis=-1, keepdims=True)
    return level**2 / (level**2 + spread)


def local_variance(x):
    """Return the variance, without bias, of the 7x7 pixels around each; edges are mirrored.

    Args:
        x: `(batch, h, w, c)` float32, sides at least 4.
    """
    margin, count = WINDOW // 2, WINDOW**2
    wide = ops.pad(x, ((0, 0), (margin,) * 2, (margin,) * 2, (0, 0)), mode="reflect")
    mean, square = (ops.average_pool(v, WINDOW, 1, "valid") for v in (wide, ops.square(wide)))
    return ops.maximum(square - ops.square(mean), 0.0) * count / (count - 1)
