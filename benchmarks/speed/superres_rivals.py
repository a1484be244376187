"""The same job as `gantools superres`, as a user would write it in a few lines: for timing only.

    python -m benchmarks.speed.superres_rivals torch|onnxruntime NETWORK IN.png OUT.png

Pillow reads and writes. `torch` builds the network `photo` x4 in PyTorch from a `.npz` of its
weights; `onnxruntime` runs its ONNX graph for 512x512 pixels, back-projection included.
"""

import sys

import numpy as np


def with_torch(network, source, target):
    """Enlarge by PyTorch; the base is its own bicubic interpolation."""
    import torch
    from PIL import Image
    from torch.nn import functional as nn

    with np.load(network) as stored:
        weights = {name: torch.from_numpy(stored[name]) for name in stored.files}

    def conv(x, name):
        kernel = weights[f"{name}/kernel"].permute(3, 2, 0, 1)
        return nn.conv2d(x, kernel, weights[f"{name}/bias"], padding=1)

    pixels = np.asarray(Image.open(source).convert("RGB"), np.float32) / 255
    with torch.inference_mode():
        low = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        x = head = conv(low, "head")
        for i in range(4):
            x = x + conv(nn.leaky_relu(conv(x, f"pair{i}a"), 0.2), f"pair{i}b")
        x = nn.leaky_relu(conv(x, "body") + head, 0.2)
        made = nn.pixel_shuffle(conv(x, "tail"), 4)
        made = made + nn.interpolate(low, scale_factor=4, mode="bicubic", align_corners=False)
        levels = (made[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
    Image.fromarray(levels).save(target)


def with_onnxruntime(network, source, target):
    """Enlarge by ONNX Runtime."""
    import onnxruntime
    from PIL import Image

    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    pixels = np.asarray(Image.open(source).convert("RGB"))
    around = np.pad(pixels, [(4, 4), (4, 4), (0, 0)], mode="symmetric")  # what the graph reads
    Image.fromarray(session.run(None, {"tile": around[None]})[0][0]).save(target)


if __name__ == "__main__":
    {"torch": with_torch, "onnxruntime": with_onnxruntime}[sys.argv[1]](*sys.argv[2:])
