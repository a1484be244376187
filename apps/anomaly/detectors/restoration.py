"""What the restorer's outputs say of a picture: parts of a score, and pixel maps.

A picture's numbers depend on that picture alone. `out` is one batch of the graph's outputs (see
`serving.OUTPUTS`), `levels` the levels of held-out normals, `memories` and `texture` what was
learnt.
"""

import cv2
import numpy as np

from .memory import Gaussian, Neighbours, top_mean

# name: (kind, options); the first letter names the source: d, h, z are descriptors of a picture
MEMORIES = {
    "d_maha": (Gaussian, {}),
    "d_knn": (Neighbours, {"k": 3, "cosine": True}),
    "h_maha": (Gaussian, {}),
    "z_maha": (Gaussian, {}),
    "z_knn": (Neighbours, {"k": 3}),
    "patch_knn": (Neighbours, {"k": 1, "cosine": True}),
}
SOURCES = {"d": "means", "h": "hidden", "z": "latent", "p": "patches"}
LAYERS = ("residual", "mask", "patches", "anywhere", "places")  # averaged for the heat-map
WINDOW = 7  # of the structural similarity
C1, C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2


def apart(pictures, out, levels, memories, texture):
    """Return name -> how odd each place of one batch is: what parts and maps are made of.

    Args:
        pictures: float32 `(n, h, w, c)`.
        out: Outputs of the graph.
        levels, memories, texture: See above.

    Returns:
        `(n, h', w')` each, in the size that they have by themselves; the names are `LAYERS`.
    """
    anywhere, places = texture.score(pictures)
    return {
        "residual": _relative(residual(pictures, out), levels),
        "mask": _sigmoid(out["mask"][..., 0]),
        "patches": _patch_map(out, memories),
        "anywhere": anywhere,
        "places": places,
    }


def parts(pictures, out, turns, seen, memories):
    """Return name -> raw scores `(n,)` float64 of one batch, higher is odder.

    Args:
        pictures, out, memories: As for `apart`.
        turns: Logits `(4, n, 4)` of the rotation head for pictures turned by 0 to 3 quarters.
        seen: What `apart` returned; of scans with "near" of `surroundings`.
    """
    found = {
        "res_norm_top": top_mean(seen["residual"], 0.02),
        "residual": np.mean(np.abs(pictures - out["restored"]), axis=(1, 2, 3), dtype=np.float64),
        "ssim": 1 - np.array([ssim(*pair) for pair in zip(pictures, out["restored"], strict=True)]),
        "feat": out["apart"][:, 0].astype(np.float64),
        "damaged": out["damaged"][:, 0].astype(np.float64),
        "seg_top": top_mean(seen["mask"], 0.05),
        "rot_nll": -np.mean([_log_softmax(turns[k])[:, k] for k in range(4)], axis=0),
        "patch_knn": top_mean(seen["patches"], 1 / 16),
        "tex_top": top_mean(seen["anywhere"], 1 / 16),
        "tex_mean": seen["anywhere"].mean(axis=(1, 2)),
        "place_top": top_mean(seen["places"], 1 / 16),
        "place_mean": seen["places"].mean(axis=(1, 2)),
    }
    for name, memory in memories.items():
        if name[0] != "p":
            found[name] = memory.score(out[SOURCES[name[0]]])
    if "near" in seen:
        found |= {"near_top": top_mean(seen["near"], 1 / 16), "near_max": seen["near"].max((1, 2))}
    lost = ~np.isfinite(pictures).all(axis=(1, 2, 3))
    return {name: np.where(lost, np.nan, values) for name, values in found.items()}


def layers(seen, space, levels):
    """Return the pixel maps `(n, layers, h, w)` float32 of one batch, in units of their levels.

    Args:
        seen: What `apart` returned.
        space: `(h, w)`.
        levels: See above.
    """
    maps = [seen["residual"], *(_enlarged(seen[name], space) for name in LAYERS[1:])]
    return np.stack(maps, axis=1).astype(np.float32) / levels["maps"][:, None, None]


def heat(seen, space, levels):
    """Return heat-maps `(n, h, w)` float32: 1 is the 99.9 % level of held-out normals.

    The fourth root of the layers' mean fourth power: a layer that fires is not diluted by the rest.
    Of scans it is "near" alone. Args: as for `layers`.
    """
    if "near" in seen:
        return _enlarged(seen["near"], space) / levels["map"]
    found = layers(seen, space, levels)
    return np.mean(found**4, axis=1) ** np.float32(0.25) / levels["map"]


def residual(pictures, out):
    """Return blurred differences `(n, h, w)` float32 between pictures and their restorations."""
    return np.stack([blurred(a) for a in np.abs(pictures - out["restored"]).mean(axis=-1)])


def blurred(apart):
    """Return differences `(h, w)` blurred by a fortieth of the smaller side."""
    return cv2.GaussianBlur(apart, (0, 0), max(0.5, min(apart.shape) / 40))


def ssim(a, b):
    """Return the structural similarity of two pictures `(h, w, c)` in [-1, 1], windows of 7.

    Source: Wang et al. 2004, doi 10.1109/TIP.2003.819861, eq. 13, as the training's
    `gantools.core.similarity.ssim`.
    """
    maps = np.stack([a, b, a * a, b * b, a * b], axis=-1).astype(np.float64)
    height, width, channels, _ = maps.shape
    means = cv2.blur(maps.reshape(height, width, -1), (WINDOW, WINDOW))
    edge = WINDOW // 2
    means = means.reshape(height, width, channels, 5)[edge : height - edge, edge : width - edge]
    mean_a, mean_b, aa, bb, ab = np.moveaxis(means, -1, 0)
    likeness = (2 * mean_a * mean_b + C1) * (2 * (ab - mean_a * mean_b) + C2)
    size = (mean_a**2 + mean_b**2 + C1) * (aa - mean_a**2 + bb - mean_b**2 + C2)
    return float(np.mean(likeness / size))


def recognised(turns):
    """Return `(share of turns recognised, mean cross-entropy in nats)` of logits `(4, n, 4)`."""
    right = np.mean([np.argmax(turns[k], axis=1) == k for k in range(4)])
    nats = -np.mean([_log_softmax(turns[k])[:, k] for k in range(4)])
    return float(right), float(nats)


def _relative(blurred, levels):
    """Divide a residual by what held-out normals have at that place."""
    level = levels["residual"]
    return blurred / (level + 0.25 * level.mean() + 1e-6)


def _patch_map(out, memories):
    """Return the distance of every cell to the nearest patch of the memory, `(n, h', w')`."""
    cells = out["patches"]
    found = memories["patch_knn"].score(cells.reshape(-1, cells.shape[-1]))
    return found.reshape(cells.shape[:3])


def _enlarged(maps, space):
    height, width = space
    return np.stack(
        [
            cv2.resize(m.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
            for m in maps
        ]
    )


def _sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def _log_softmax(x):
    x = np.asarray(x, np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.sum(np.exp(x), axis=-1, keepdims=True))
