"""A judge of generated pictures: a small classifier of real ones, trained here and kept in a file.

It says which class a picture shows, and its last hidden layer gives the features for distances
between sets. Nothing is downloaded.
"""

import hashlib
from pathlib import Path

import keras
import numpy as np

from gantools.data.folders import load_images
from gantools.errors import UserError

FEATURES, EPOCHS = 128, 4


def mnist(folder, split="train", name="mnist"):
    """Return `(pictures (n, 28, 28, 1) uint8, labels (n,) int32)` in a fixed shuffled order.

    Args:
        folder: Holds `NAME_images.npy.xz` (70 000 pictures, the last 10 000 for tests) and
            `NAME_labels.npz` (`y_train`, `y_test`).
        split: "train" or "test".
        name: "mnist", or "fashion" for Fashion-MNIST.

    Raises:
        UserError: the files are not there.
    """
    folder = Path(folder)
    if not (folder / f"{name}_images.npy.xz").exists():
        raise UserError(f"Expected {name}_images.npy.xz in {folder}. Give its folder by --data.")
    x = load_images(folder / f"{name}_images.npy.xz").images
    x = x[:60_000] if split == "train" else x[60_000:]
    y = np.load(folder / f"{name}_labels.npz")[f"y_{split}"].astype(np.int32)
    order = np.random.default_rng(0).permutation(len(x))  # the files are sorted by class
    return x[order], y[order]


class Judge:
    """A classifier `(n, height, width, channels)` in [-1, 1] -> class.

    Args:
        x: Pictures uint8 to learn from.
        y: Their classes, int.
        out: Folder in which the weights are kept, by the content of the data.
        name: Of what it tells, part of the file's name.
    """

    def __init__(self, x, y, out, name):
        classes = int(y.max()) + 1
        self.net = _classifier(x.shape[1:], classes)
        digest = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()[:12]
        path = Path(out) / f"judge_{name}_{digest}.weights.h5"
        if not path.exists():
            self._train(x, y)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.net.save_weights(path)
        self.net.load_weights(path)
        self.body = keras.Model(self.net.inputs, self.net.layers[-1].input)

    def _train(self, x, y):
        steps = EPOCHS * -(-len(x) // 128)
        rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.net.compile(keras.optimizers.Adam(rate), loss)
        self.net.fit(scaled(x), y, batch_size=128, epochs=EPOCHS, verbose=0)

    def classes(self, x):
        """Return the class of each picture, int64 `(n,)`."""
        return self.net.predict(x, batch_size=256, verbose=0).argmax(axis=1)

    def features(self, x):
        """Return features, float32 `(n, FEATURES)`."""
        return self.body.predict(x, batch_size=256, verbose=0)


def scaled(x):
    """Return uint8 pictures as float32 in [-1, 1]."""
    return x.astype(np.float32) / 127.5 - 1.0


def _classifier(shape, classes):
    layers = keras.layers
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(FEATURES, activation="relu"),
            layers.Dense(classes),
        ]
    )
