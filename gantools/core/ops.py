"""Moving pictures by tensors of amounts, differentiable twice on every backend.

Keras' own resizing and affine operations have no second-order gradient on TensorFlow, or none at
all, so everything here is one gather of pixels and a few products. Sizes are changed by the layers
of `gantools.nets.resampling`.
"""

from keras import ops


def shift(x, steps, fill=0.0):
    """Move every sample by its own whole numbers of pixels; what comes in from outside is `fill`.

    Args:
        x: `(batch, *space, channels)` float32, any number of space axes.
        steps: `(batch, len(space))` int32, positive towards larger indices.
        fill: Value outside the picture.

    Returns:
        Tensor of the shape of `x`: out[i] = x[i - steps].

    Source: the translation of Zhao et al. 2020 (DiffAugment), arXiv 2006.10738.
    """
    space = x.shape[1:-1]
    places = [
        ops.arange(side) - ops.reshape(steps[:, axis], (-1, 1))  # (batch, side)
        for axis, side in enumerate(space)
    ]
    places = [_along(place, axis, len(space)) for axis, place in enumerate(places)]
    places = [ops.clip(place, -1, side) for place, side in zip(places, space, strict=True)]
    return _gather(_framed(x, fill), places)


def affine(x, angle, zoom, fill=0.0):
    """Turn and enlarge every picture about its centre, with bilinear interpolation.

    Args:
        x: `(batch, height, width, channels)` float32.
        angle: `(batch,)` float32, radians, counter-clockwise as seen on a screen.
        zoom: `(batch,)` float32, above 1 enlarges.
        fill: Value outside the picture.

    Returns:
        Tensor of the shape of `x`.
    """
    space = x.shape[1:-1]
    cos = ops.reshape(ops.cos(angle) / zoom, (-1, 1, 1))
    sin = ops.reshape(ops.sin(angle) / zoom, (-1, 1, 1))
    middle = [(side - 1) / 2 for side in space]
    y, x_ = (
        _along(ops.cast(ops.arange(side), "float32")[None] - half, axis, 2)
        for axis, (side, half) in enumerate(zip(space, middle, strict=True))
    )
    # where the pixel at (y, x) of the result comes from
    source = [cos * y + sin * x_ + middle[0], cos * x_ - sin * y + middle[1]]
    source = [ops.clip(s, -1.0, float(side)) for s, side in zip(source, space, strict=True)]
    low = [ops.minimum(ops.floor(s), side - 1.0) for s, side in zip(source, space, strict=True)]
    part = [ops.expand_dims(s - f, -1) for s, f in zip(source, low, strict=True)]
    low = [ops.cast(f, "int32") for f in low]
    framed, total = _framed(x, fill), 0.0
    for down in (0, 1):
        for right in (0, 1):
            weight = (part[0] if down else 1 - part[0]) * (part[1] if right else 1 - part[1])
            total = total + weight * _gather(framed, [low[0] + down, low[1] + right])
    return total


def _framed(x, fill):
    """Return `x` with a frame of one pixel of `fill`: places -1 and `side` are outside."""
    widths = [[0, 0]] + [[1, 1]] * (len(x.shape) - 2) + [[0, 0]]
    return ops.pad(x, widths, constant_values=fill)


def _along(values, axis, rank):
    """Reshape `(batch, side)` so that it runs along space axis `axis` of `rank`."""
    shape = [1] * rank
    shape[axis] = values.shape[1]
    return ops.reshape(values, (-1, *shape))


def _gather(framed, places):
    """Return the pixels of a framed picture at `places`, one int32 tensor an axis from -1 on."""
    *space, channels = framed.shape[1:]
    size = ops.shape(framed)[0]
    index = ops.reshape(ops.arange(size), (-1, *[1] * len(space)))
    for place, side in zip(places, space, strict=True):
        index = index * side + (ops.cast(place, "int32") + 1)
    pixels = ops.reshape(framed, (-1, channels))
    found = ops.take(pixels, ops.reshape(index, (-1,)), axis=0)
    return ops.reshape(found, (-1, *(side - 2 for side in space), channels))


def packed(x, count):
    """Join `count` samples on their channels: `(n, ..., c)` -> `(n / count, ..., count * c)`.

    A discriminator of packs sees whether samples are too alike. A penalty of it belongs to a pack.

    Args:
        x: Tensor; points are `(n, features)`.
        count: Samples in a pack; must divide n.

    Source: Lin et al. 2017 (PacGAN), arXiv 1712.04086.
    """
    if count == 1:
        return x
    shape = x.shape[1:]
    x = ops.reshape(x, (-1, count, *shape))
    return ops.reshape(ops.moveaxis(x, 1, -2), (-1, *shape[:-1], count * shape[-1]))


def unpacked(x, count):
    """Undo `packed`."""
    if count == 1:
        return x
    shape = (*x.shape[1:-1], x.shape[-1] // count)
    x = ops.reshape(x, (-1, *shape[:-1], count, shape[-1]))
    return ops.reshape(ops.moveaxis(x, -2, 1), (-1, *shape))
