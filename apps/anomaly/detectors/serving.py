"""The restorer and its discriminator as one ONNX graph: pictures in, descriptors out, no Keras."""

import numpy as np

from gantools.data.onnx import Graph, same_padding

OUTPUTS = (
    "restored",  # (batch, h, w, c)
    "latent",  # (batch, units)
    "apart",  # (batch, 1): sum over levels of the mean |f(x) - f(R(x))|
    "rotation",  # (batch, 4) logits
    "damaged",  # (batch, 1) logit
    "mask",  # (batch, h / t, w / t, 1) logits
    "hidden",  # (batch, units)
    "means",  # (batch, channels): means of all features, level by level
    "patches",  # (batch, h / t, w / t, c): the features that the mask is read from
)


def restorer_graph(weights, shape, batch, *, level, only_rotation=False):
    """Return the ONNX file of a trained restorer and discriminator.

    Args:
        weights: "generator/LAYER/kernel" (or bias, gamma, beta) -> float32 array, see `weights_of`;
            "room" is the share of the range that the networks see, 1 where it is not there.
        shape: `(h, w, c)` of a picture.
        batch: Pictures at once.
        level: Index of the halving whose features are "patches".
        only_rotation: Leave out everything but "rotation", for turned pictures.
    """
    net = Network(weights, batch)
    x = net.graph.node("Transpose", "x", perm=(0, 3, 1, 2))
    if only_rotation:
        shapes = {"rotation": (batch, 4)}
        net.rotation(net.given(x), shape, out="rotation")
    else:
        shapes = net.whole(x, shape, level)
    content = net.graph.file("restorer", {"x": (batch, *shape)}, shapes)
    return content, tuple(shapes)


def redrawing_graph(weights, shape, batch):
    """Return the ONNX file of a restorer alone: "x" `(batch, h, w, c)` in, "restored" out.

    Args:
        weights: Of the generator, see `restorer_graph`.
        shape, batch: As there.
    """
    net = Network(weights, batch)
    net.generator(net.given(net.graph.node("Transpose", "x", perm=(0, 3, 1, 2))), shape)
    sizes = (batch, *shape)
    return net.graph.file("restorer", {"x": sizes}, {"restored": sizes})


def weights_of(players, room=1.0):
    """Return the weights of Keras models: "player/layer/weight" -> array, in the models' order.

    Args:
        players: Name -> model.
        room: Of `training.trained_restorer`.
    """
    found = {} if room == 1 else {"room": np.float32(room)}
    for name, player in players.items():
        for layer in player.layers:
            for v in layer.weights:
                found[f"{name}/{layer.name}/{v.path.rsplit('/', 1)[-1]}"] = np.array(v.value)
    return found


class Network:
    """Adds the layers of `gantools.nets.restorer` to a graph, channels first.

    Args:
        weights, batch: As for `restorer_graph`.
        graph: `Graph` that they are added to; None makes one.
    """

    def __init__(self, weights, batch, graph=None):
        self.weights, self.batch, self.graph = weights, batch, graph or Graph()

    def whole(self, x, shape, level):
        """Add everything of `OUTPUTS` for pictures `x` `(batch, c, h, w)`; return their shapes."""
        x = self.given(x)
        judged = self.discriminator(x, shape, level)
        restored, size = self.generator(x, shape)
        again = self.discriminator(restored, shape, level, heads=False)
        self.apart(judged, again)
        return self.shapes(judged, shape, size, level)

    def given(self, x):
        """Bring pictures to the share of the range that the networks see."""
        if "room" not in self.weights:
            return x
        return self.graph.node("Mul", x, self.graph.constant(self.weights["room"]))

    def rotation(self, x, shape, out=None):
        """Add the head that tells by how much pictures are turned, `(batch, 4)` logits."""
        last = self.discriminator(x, shape, 0, heads=False)[-1][0]
        hidden = self._leaky(self._dense("discriminator", "hidden", self._flat(last)))
        return self._dense("discriminator", "rotation", hidden, out=out)

    def generator(self, x, shape):
        """Add the restorer; return its pictures, channels first, and the size of the latent."""
        graph, space = self.graph, shape[:2]
        for i in range(self._count("generator/down")):
            x, space = self._conv("generator", f"down{i}", x, space, 2)
            x = self._leaky(x)
        z = self._dense("generator", "latent", self._flat(x), out="latent")
        x = self._leaky(self._dense("generator", "grow", z))
        channels = self.weights["generator/grow/bias"].size // (space[0] * space[1])
        x = graph.reshape(x, self.batch, *space, channels)
        x = graph.node("Transpose", x, perm=(0, 3, 1, 2))
        for name in [f"up{i}" for i in range(self._count("generator/up"))] + ["out"]:
            x, space = self._conv("generator", name, x, space, 1)
            x = graph.node("DepthToSpace", x, blocksize=2, mode="CRD")
            space = tuple(2 * side for side in space)
            x = x if name == "out" else self._leaky(x)
        x = graph.node("Tanh", self._crop(x, space, shape))
        self._restored(x)
        return x, self.weights["generator/latent/bias"].size

    def discriminator(self, x, shape, level, heads=True):
        """Add the discriminator; return `(tensor, space, channels)` of every halving."""
        space, features = shape[:2], []
        for i in range(self._count("discriminator/down")):
            x, space = self._conv("discriminator", f"down{i}", x, space, 2)
            channels = self.weights[f"discriminator/down{i}/bias"].size
            x = self._leaky(self._group_norm(f"norm{i}", x, space, channels))
            features.append((x, space, channels))
        if heads:
            self._heads(features, level)
        return features

    def apart(self, first, second):
        """Add the distance of two lists of features."""
        graph, total = self.graph, None
        for (a, *_), (b, *_) in zip(first, second, strict=True):
            apart = graph.node("Abs", graph.node("Sub", a, b))
            apart = graph.node("ReduceMean", graph.reshape(apart, self.batch, -1), axes=(1,))
            total = apart if total is None else graph.node("Add", total, apart)
        graph.reshape(total, self.batch, 1, out="apart")

    def shapes(self, features, shape, latent, level):
        """Return output -> shape."""
        _, space, channels = features[level]
        hidden = self.weights["discriminator/hidden/bias"].size
        sizes = ((*shape,), (latent,), (1,), (4,), (1,), (*space, 1), (hidden,))
        sizes += ((sum(c for *_, c in features),), (*space, channels))
        return {name: (self.batch, *size) for name, size in zip(OUTPUTS, sizes, strict=True)}

    def _restored(self, x):
        """Name the pictures of the generator, in the whole range, channels last."""
        graph = self.graph
        if "room" in self.weights:
            x = graph.node("Div", x, graph.constant(self.weights["room"]))
            x = graph.node("Clip", x, *(graph.constant(np.float32(end)) for end in (-1, 1)))
        graph.node("Transpose", x, perm=(0, 2, 3, 1), out="restored")

    def _heads(self, features, level):
        graph, last = self.graph, features[-1][0]
        patches, space, _ = features[level]
        where, _ = self._conv("discriminator", "mask", patches, space, 1)
        graph.node("Transpose", where, perm=(0, 2, 3, 1), out="mask")
        graph.node("Transpose", patches, perm=(0, 2, 3, 1), out="patches")
        hidden = self._dense("discriminator", "hidden", self._flat(last))
        hidden = self._leaky(hidden, out="hidden")
        self._dense("discriminator", "rotation", hidden, out="rotation")
        means = [self._pooled(x, "ReduceMean") for x, *_ in features]
        graph.node("Concat", *means, axis=1, out="means")
        both = graph.node("Concat", means[-1], self._pooled(last, "ReduceMax"), hidden, axis=1)
        self._dense("discriminator", "damaged", both, out="damaged")

    def _count(self, prefix):
        return len([name for name in self.weights if name[: len(prefix)] == prefix]) // 2

    def _conv(self, player, name, x, space, stride):
        kernel = self.weights[f"{player}/{name}/kernel"]
        pads = [same_padding(s, k, stride) for s, k in zip(space, kernel.shape, strict=False)]
        kernel = self.graph.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        bias = self.graph.constant(self.weights[f"{player}/{name}/bias"])
        pads = tuple(pair[end] for end in (0, 1) for pair in pads)
        x = self.graph.node("Conv", x, kernel, bias, pads=pads, strides=(stride, stride))
        return x, tuple(-(-side // stride) for side in space)

    def _dense(self, player, name, x, out=None):
        kernel, bias = (self.weights[f"{player}/{name}/{part}"] for part in ("kernel", "bias"))
        return self.graph.node("Gemm", x, *map(self.graph.constant, (kernel, bias)), out=out)

    def _leaky(self, x, out=None):
        return self.graph.node("LeakyRelu", x, alpha=0.2, out=out)

    def _flat(self, x):
        x = self.graph.node("Transpose", x, perm=(0, 2, 3, 1))
        return self.graph.reshape(x, self.batch, -1)

    def _pooled(self, x, kind):
        return self.graph.node(kind, x, axes=(2, 3), keepdims=0)

    def _group_norm(self, name, x, space, channels):
        gamma = self.weights.get(f"discriminator/{name}/gamma")
        if gamma is None:
            return x
        graph, groups = self.graph, np.gcd(8, channels)
        ones = [graph.constant(np.full(groups, value, np.float32)) for value in (1, 0)]
        x = graph.reshape(x, self.batch, int(groups), -1)
        x = graph.node("InstanceNormalization", x, *ones, epsilon=1e-5)
        x = graph.reshape(x, self.batch, channels, *space)
        scale = graph.constant(gamma.reshape(-1, 1, 1))
        shift = graph.constant(self.weights[f"discriminator/{name}/beta"].reshape(-1, 1, 1))
        return graph.node("Add", graph.node("Mul", x, scale), shift)

    def _crop(self, x, space, shape):
        starts = [(have - want) // 2 for have, want in zip(space, shape, strict=False)]
        ends = [start + want for start, want in zip(starts, shape, strict=False)]
        bounds = [self.graph.constant(np.array(v, np.int64)) for v in (starts, ends, (2, 3))]
        return self.graph.node("Slice", x, *bounds)
