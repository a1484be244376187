"""Loading a set of pictures: a folder, a folder per class, or one array file.

All pictures of a set have one size in memory. When the files differ, the caller asks for a size and
each picture is cropped to its central square and resized; nothing is distorted or padded.
"""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from gantools.data import arrays, headers, pictures
from gantools.errors import ALL_FAILED, SOME_FAILED, UserError

FLOAT_MARGIN = 0.05  # beyond [0, 1], where sharpened floating-point pictures may go


@dataclass(frozen=True)
class Dataset:
    """A set of pictures in memory.

    Attributes:
        images: uint8 `(n, height, width, channels)`, RGB or grey.
        labels: int64 `(n,)`, indices into `class_names`, or None.
        class_names: Names of the classes: the folders, or the stored labels as text.
        names: Paths below `source`, one a picture; empty for array files.
        skipped: `(name, reason)` of the pictures that could not be read.
        source: What was loaded.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    source: str = ""

    def __len__(self) -> int:
        return len(self.images)


def load_images(
    path: str | os.PathLike,
    size: int | None = None,
    channels: int | None = None,
    *,
    strict: bool = False,
    part: str | None = None,
    labels: bool = True,
) -> Dataset:
    """Load a set of pictures.

    Args:
        path: A folder of pictures, a folder of one folder per class, or a file: `.npz` (`images`,
            `x_train`, `x` ... and their labels), `.npy`, `.npy.xz`, an idx file, gzipped or not.
        size: Side in pixels; each picture's central square is resized to it. None keeps the size,
            which must then be the same for all.
        channels: 1 for grey, 3 for RGB; None takes 1 when every picture is grey, else 3. An alpha
            channel is blended onto white.
        strict: Fail at the first unreadable picture, where otherwise it is listed in `skipped`.
        part: "left" or "right" takes that half of each picture, for pictures side by side.
        labels: Whether labels in array files are wanted; else they are not looked at.

    Returns:
        The set, in sorted order of names.

    Raises:
        UserError: nothing there, nothing readable, pictures of several sizes and no `size`, more
            than half of the memory, or labels that do not tell one class a picture.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"There is no folder or file {str(path)!r}.")
    if path.is_dir():
        return _load_folder(path, size, channels, strict, part)
    if not arrays.is_array_file(path):
        expected = ", ".join(arrays.SUFFIXES)
        raise UserError(f"{path}: expected a folder of pictures or a file ending in {expected}.")
    stored, told = arrays.read_arrays(path, labels)
    images = _half(arrays.to_uint8(stored, path), part)
    wanted = channels or (1 if images.shape[-1] == 1 else 3)
    if size is not None or images.shape[-1] != wanted:
        arrays.check_memory(len(images) * (size or images.shape[1]) ** 2 * wanted, path)
        images = np.stack([_fit(image, size, wanted) for image in images])
    return _label(Dataset(images, source=str(path)), told)


def list_pictures(folder: str | os.PathLike) -> tuple[list[Path], tuple[str, ...]]:
    """Return the picture files of a folder, sorted, and the class names of a folder per class.

    Hidden files and folders and files that are no pictures by their suffix are passed over.

    Args:
        folder: Pictures lie directly in it, or in folders below it, one a class.

    Raises:
        UserError: there are none, or some lie directly in it and some in folders below.
    """
    folder = Path(folder)
    direct = picture_files(folder)
    classes = {}
    for item in _visible(folder):
        if item.is_dir():
            found = sorted(file for file in item.rglob("*") if _is_picture(file, item))
            classes |= {item.name: found} if found else {}
    if direct and classes:
        raise UserError(
            f"{folder} holds pictures and also folders of pictures ({', '.join(classes)}). "
            "Expected either. Give one of these folders, or move the loose pictures into one."
        )
    if not direct and not classes:
        raise UserError(f"{folder} holds no pictures ({', '.join(pictures.SUFFIXES)}).", ALL_FAILED)
    return direct or [file for files in classes.values() for file in files], tuple(classes)


def picture_files(folder: Path) -> list[Path]:
    """Return the picture files that lie directly in a folder, sorted; hidden ones are left out."""
    return [item for item in _visible(folder) if _is_picture(item, folder)]


def as_bytes(
    picture: pictures.Picture,
    size: int | None = None,
    channels: int | None = None,
    part: str | None = None,
) -> np.ndarray:
    """Return a picture as a set has it: uint8 `(h, w, c)`, upright, without alpha.

    Args:
        picture: As read from a file.
        size, channels, part: As for `load_images`.
    """
    image = _to_byte_picture(picture.upright())
    return _fit(_half(image[None], part)[0], size, channels)


def _load_folder(
    folder: Path, size: int | None, channels: int | None, strict: bool, part: str | None
) -> Dataset:
    files, class_names = list_pictures(folder)

    def read(file: Path) -> np.ndarray | UserError:
        try:
            return as_bytes(pictures.read(file), size, channels, part)
        except UserError as error:
            if strict:
                raise UserError(str(error), SOME_FAILED) from error
            return error

    if size is not None:
        arrays.check_memory(len(files) * size * size * (channels or 3), folder)
    with ThreadPoolExecutor() as pool:  # decoding releases the interpreter's lock
        if size is None:
            _check_headers([h for h in pool.map(_header, files) if h], channels, folder)
        loaded = list(pool.map(read, files))
    names = [file.relative_to(folder).as_posix() for file in files]
    good = [i for i, item in enumerate(loaded) if isinstance(item, np.ndarray)]
    skipped = tuple(
        (n, str(item)) for n, item in zip(names, loaded, strict=True) if isinstance(item, UserError)
    )
    if not good:
        raise UserError(
            f"None of {len(files)} pictures in {folder} can be read. {skipped[0][1]}", ALL_FAILED
        )
    images = _stack([loaded[i] for i in good], channels, folder)
    dataset = Dataset(
        images, names=tuple(names[i] for i in good), skipped=skipped, source=str(folder)
    )
    if not class_names:
        return dataset
    parents = [names[i].partition("/")[0] for i in good]
    known = tuple(name for name in class_names if name in parents)
    left_out = tuple(
        (f"{name}/", "none of its pictures can be read: it is no class")
        for name in class_names
        if name not in known
    )
    labels = np.array([known.index(parent) for parent in parents], np.int64)
    return replace(dataset, labels=labels, class_names=known, skipped=skipped + left_out)


def _header(file: Path) -> headers.Header | None:
    """Return the header of a picture that is going to be decoded, None of one that is not."""
    try:
        found = pictures.header(file)
        pictures.check_size(file, found)
    except UserError:
        return None  # `pictures.read` tells why
    return found


def _check_headers(found: list[headers.Header], channels: int | None, folder: Path) -> None:
    """Refuse pictures of several sizes, or too many, before the first of them is decoded."""
    sizes = [(h.height, h.width)[:: -1 if h.orientation >= 5 else 1] for h in found]
    _check_sizes(sizes, folder)
    wanted = channels or (1 if all(h.channels in (1, 2) for h in found) else 3)
    arrays.check_memory(sum(height * width for height, width in sizes) * wanted, folder)


def _check_sizes(sizes: list[tuple[int, int]], folder: Path) -> None:
    """Refuse pictures of several sizes `(height, width)`."""
    sizes = Counter(sizes)
    if len(sizes) > 1:
        shown = ", ".join(f"{w}x{h} ({count})" for (h, w), count in sizes.most_common(3))
        more = f" and {len(sizes) - 3} more" if len(sizes) > 3 else ""
        raise UserError(
            f"The pictures of {folder} have {len(sizes)} sizes: {shown}{more}. Expected one. Give "
            "--resolution N to crop each to its central square and resize it to N x N pixels."
        )


def _stack(images: list[np.ndarray], channels: int | None, folder: Path) -> np.ndarray:
    _check_sizes([image.shape[:2] for image in images], folder)
    wanted = channels or (1 if all(image.shape[-1] == 1 for image in images) else 3)
    return np.stack([_to_channels(image, wanted) for image in images])


def _label(dataset: Dataset, labels: np.ndarray | None) -> Dataset:
    if labels is None:
        return dataset
    labels = _plain(np.asarray(labels))
    if labels.shape not in ((len(dataset),), (len(dataset), 1)):
        raise UserError(
            f"{dataset.source}: expected one label for each of {len(dataset)} pictures. "
            f"Received labels of shape {labels.shape}."
        )
    values, indices = np.unique(labels.reshape(-1), return_inverse=True)
    return replace(
        dataset, labels=indices.astype(np.int64), class_names=tuple(str(v) for v in values)
    )


def _plain(labels: np.ndarray) -> np.ndarray:
    """Return labels as people name classes: no rows with a single one, no bytes, no 3.0."""
    if labels.dtype.kind == "S":
        return np.char.decode(labels, "utf-8", "backslashreplace")
    if labels.dtype.kind not in "biuf":
        return labels
    if labels.ndim == 2 and labels.shape[1] > 1 and np.isin(labels, (0, 1)).all():
        return labels.argmax(axis=1) if (labels.sum(axis=1) == 1).all() else labels
    if labels.dtype.kind == "f" and (labels == np.rint(labels)).all() and np.isfinite(labels).all():
        return labels.astype(np.int64)
    return labels


def _visible(folder: Path) -> list[Path]:
    return sorted(item for item in folder.iterdir() if not item.name.startswith("."))


def _is_picture(path: Path, folder: Path) -> bool:
    """Return whether a path below a folder is a picture, and nothing on the way to it is hidden."""
    hidden = any(name.startswith(".") for name in path.relative_to(folder).parts)
    return path.suffix.lower() in pictures.SUFFIXES and not hidden and path.is_file()


def _to_byte_picture(picture: pictures.Picture) -> np.ndarray:
    pixels = picture.pixels
    if pixels.dtype == np.uint16:
        return np.rint(pixels / np.float32(257)).astype(np.uint8)
    if pixels.dtype == np.uint8:
        return pixels
    low, high = float(np.fmin.reduce(pixels, None)), float(np.fmax.reduce(pixels, None))
    if low < -FLOAT_MARGIN or high > 1 + FLOAT_MARGIN:
        raise UserError(
            f"expected floating-point levels in [0, 1]. Received: {low:g} to {high:g}. Divide "
            "them by the largest possible level."
        )
    return np.rint(np.clip(np.nan_to_num(pixels), 0, 1) * 255).astype(np.uint8)


def _half(images: np.ndarray, part: str | None) -> np.ndarray:
    """Return the left or right half of pictures `(n, h, w, c)`, or the whole."""
    if part is None:
        return images
    width = images.shape[2]
    if width % 2:
        raise UserError(
            f"Pictures side by side must have an even width. Received: {width} pixels. Cut them."
        )
    return images[:, :, : width // 2] if part == "left" else images[:, :, width // 2 :]


def _fit(image: np.ndarray, size: int | None, channels: int | None) -> np.ndarray:
    """Blend alpha, crop the central square, resize it, convert the channels: what is asked for."""
    image = _without_alpha(image)
    if size is not None:
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        image = image[top : top + side, left : left + side]
        if side != size:
            method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
            image = cv2.resize(image, (size, size), interpolation=method).reshape(size, size, -1)
    return _to_channels(image, channels or image.shape[-1])


def _without_alpha(image: np.ndarray) -> np.ndarray:
    if image.shape[-1] in (1, 3):
        return image
    alpha = image[..., -1:].astype(np.float32) / 255
    return np.rint(image[..., :-1] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _to_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Return `(h, w, channels)` of grey or RGB: grey is repeated, RGB becomes luma."""
    if image.shape[-1] == channels:
        return image
    if channels == 1:
        return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)[..., None]
    return np.repeat(image, channels, axis=-1)
