"""Translations of a trained run: pictures of any size, in one direction or the other.

A game that translates has a player "to_b" (a -> b) and "to_a", or trains on pairs and has a player
"generator" (a -> b). They are networks of convolutions, which take pictures of any size. A
generator that enlarges or restores pictures is used in the same way, though its game has no b.
"""

import math
from pathlib import Path

import numpy as np

from gantools.data import pictures
from gantools.data.files import make_folder
from gantools.data.folders import as_bytes, picture_files
from gantools.errors import ALL_FAILED, DONE, SOME_FAILED, UserError
from gantools.machine import free_memory

SMALLEST = 8  # pixels a side: mirrored borders need some
CHANGED = ("low", "damaged")  # draws that are pictures, from which a generator makes better ones
SCRATCH = 3  # maps that a layer needs beside all others, see `memory_needed`


def translators(model) -> dict:
    """Return the networks of a model between two kinds of pictures: "b" and "a", or nothing.

    Averaged copies are taken where the game has them.
    """
    players = model.game.players
    if "to_b" in players:
        return {"b": model.best("to_b"), "a": model.best("to_a")}
    if "generator" in players and "a" in model.game.samplers:
        return {"b": model.best("generator")}
    return {}


def translator(model, to: str = "b"):
    """Return the network of a model that makes pictures of kind `to`, "a" or "b".

    Of a game that enlarges or restores pictures it is the generator, and `to` must be "b".

    Raises:
        UserError: the game changes no pictures, or not in this direction.
    """
    found = translators(model)
    if to in found:
        return found[to]
    if found:
        raise UserError(
            f"This game only learns the way to {', '.join(found)}. Received: --to {to}. For the "
            "other way, train it with the folders a and b exchanged."
        )
    if not any(name in model.game.samplers for name in CHANGED):
        raise UserError(
            "This run does not translate any pictures. Draw some with `gantools sample`, train "
            "pix2pix, cyclegan or discogan, or to enlarge srgan or esrgan."
        )
    if to != "b":
        raise UserError(
            f"This game makes pictures better, and has no way back. Received: --to {to}. Leave "
            "--to out."
        )
    return model.best("generator")


def translate(network, image: np.ndarray) -> np.ndarray:
    """Return the translation of one picture.

    Args:
        network: From `translator`.
        image: uint8 `(height, width, channels)`, as many channels as the network takes.

    Returns:
        uint8 `(height, width, channels of the other kind)`, of networks that enlarge larger.

    Raises:
        UserError: a side is shorter than 8 pixels, the network takes one size only and this is
            another, or the memory that is free is too small.
    """
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST:
        raise UserError(
            f"Pictures need sides of at least {SMALLEST} pixels to be translated. Received: "
            f"{width}x{height}."
        )
    rows, columns = network.input_shape[1:3]
    if (rows or height, columns or width) != (height, width):
        remedy = f"Give --resolution {rows}" if rows == columns else "Resize it"
        raise UserError(
            f"This network takes pictures of {columns}x{rows} pixels only. Received: "
            f"{width}x{height}. {remedy}."
        )
    needed, free = memory_needed(network, height, width), free_memory()
    if free is not None and needed > free:
        side = int(math.sqrt(height * width * free / needed))
        raise UserError(
            f"At {width}x{height} pixels this network needs about {needed / 2**30:.1f} GiB of "
            f"memory, and {free / 2**30:.1f} GiB are free. Give --resolution {side} or less, or a "
            "smaller picture."
        )
    return to_uint8(apply(network, to_float(image[None])))[0]


def memory_needed(network, height: int, width: int) -> int:
    """Return about how many bytes a network needs for one picture.

    Keras keeps the maps of all layers until the last is made, and the largest layers work on some
    copies of theirs (PReLU on three). Measured were 0.7 to 1.05 times this, on TensorFlow, JAX and
    PyTorch, for networks of pix2pix, cyclegan, discogan, srgan and esrgan: 1.9 GB a megapixel for
    cyclegan's small one.
    """
    import keras

    maps = keras.tree.flatten([layer.output for layer in network.layers])
    picture = keras.KerasTensor((1, height, width, network.input_shape[-1]))
    sizes = [
        math.prod(x.shape) * (2 if "16" in keras.backend.standardize_dtype(x.dtype) else 4)
        for x in keras.Model(network.inputs, maps).compute_output_spec(picture)
    ]
    return sum(sizes) + SCRATCH * max(sizes)


def plan(inputs, out: Path, overwrite: bool = False) -> list[tuple[Path, Path]]:
    """Return `(source, target)` of every picture to translate; nothing is written yet.

    Args:
        inputs: Picture files, and folders whose pictures are taken.
        out: A file for one picture; a folder for several, where they are PNG of the same names.
        overwrite: Whether targets that exist are replaced; else they are an error.

    Raises:
        UserError: an input is missing or a folder has no pictures, a folder is meant and `out` is
            a picture's name, a target exists or would be made twice or replace an input, or its
            format is unknown.
    """
    files = [file for path in map(Path, inputs) for file in _pictures(path)]
    several = len(files) != 1 or Path(inputs[0]).is_dir()
    if several and out.suffix.lower() in pictures.SUFFIXES and not out.is_dir():
        raise UserError(
            "Several pictures, or those of a folder, go into a folder. Received: -o "
            f"{out}, a picture's name. Give -o {out.with_suffix('')} or the name of a folder."
        )
    single = not several and out.suffix and not out.is_dir()
    jobs = [(file, out if single else out / f"{file.stem}.png") for file in files]
    sources, seen = {file.resolve() for file in files}, set()
    for _, target in jobs:
        pictures.check_writable(target, 1, 1, 3)
        if target.resolve() in sources:
            raise UserError(f"'{target}' would replace an input. Give another name with -o.")
        if target in seen:
            raise UserError(f"Two inputs would become '{target}'. Translate them one by one.")
        if target.exists() and not overwrite:
            raise UserError(f"'{target}' exists. Give --overwrite to replace it, or another name.")
        seen.add(target)
    return jobs


def translate_files(network, jobs, size: int | None, say, complain) -> int:
    """Translate picture files; one that fails does not stop the others.

    Args:
        network: From `translator`.
        jobs: From `plan`.
        size: Crop each central square and resize it to this side first; None keeps the sizes.
        say, complain: Called with a line for each picture that was made, and that was not.

    Returns:
        The exit code.
    """
    failed = 0
    for folder in {target.parent for _, target in jobs}:
        make_folder(folder)
    for source, target in jobs:
        try:
            image = as_bytes(pictures.read(source), size, network.input_shape[-1])
            pictures.write(target, pictures.Picture(translate(network, image)))
            say(f"{source} -> {target}")
        except UserError as error:
            failed += 1
            complain(f"{source}: {error}")
    if failed == len(jobs):
        return ALL_FAILED
    return SOME_FAILED if failed else DONE


def _pictures(path: Path) -> list[Path]:
    if not path.exists():
        raise UserError(f"There is no picture or folder '{path}'.")
    if not path.is_dir():
        return [path]
    files = picture_files(path)
    if not files:
        raise UserError(f"The folder '{path}' has no pictures.", ALL_FAILED)
    return files


def sheet(model, a: np.ndarray, b: np.ndarray, paired: bool) -> np.ndarray:
    """Return pictures to look at, as many in a row as `columns` says.

    Pairs give rows of a, its translation and b. Domains give rows of a, its translation and the
    way back, then of b and the same for it.

    Args:
        model: A model that translates.
        a, b: uint8 `(n, height, width, channels)`; the shorter one decides the number of rows.
        paired: Whether picture i of both belong together.

    Returns:
        float32 `(rows * columns, height, width, channels)` in [-1, 1]; grey next to colours is
        shown as colours.
    """
    ways, rows = translators(model), min(len(a), len(b))
    a, b = to_float(a[:rows]), to_float(b[:rows])
    shown = [a, apply(ways["b"], a)]
    if paired:
        shown += [b]
    else:
        back = apply(ways["a"], b)
        shown += [apply(ways["a"], shown[1]), b, back, apply(ways["b"], back)]
    channels = max(x.shape[-1] for x in shown)
    shown = [np.broadcast_to(x, (*x.shape[:3], channels)) for x in shown]
    return np.stack(shown, axis=1).reshape(-1, *shown[0].shape[1:])


def columns(paired: bool) -> int:
    """Return how many pictures of a `sheet` stand in a row."""
    return 3 if paired else 6


def apply(network, x: np.ndarray) -> np.ndarray:
    """Return the network's output for a batch, as it is in use: without dropout."""
    from keras import ops

    from gantools.core.gradients import no_gradient

    with no_gradient():
        return ops.convert_to_numpy(network(x, training=False)).astype(np.float32)


def to_float(images: np.ndarray) -> np.ndarray:
    """Return uint8 pictures as float32 in [-1, 1]."""
    return images.astype(np.float32) / 127.5 - 1.0


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Return pictures in [-1, 1] as uint8, rounded to nearest."""
    return np.rint(np.clip(images, -1.0, 1.0) * 127.5 + 127.5).astype(np.uint8)
