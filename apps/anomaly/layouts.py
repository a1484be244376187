"""Finding out what a folder holds: the first layout whose sign is there wins.

| layout | sign |
|---|---|
| manifest | a CSV or Parquet file with a column of paths or names, 90 % of which exist |
| mvtec | `train/good`, `test/*`, optional `ground_truth/*/NAME.png` or `NAME_mask.png` |
| normal-abnormal | folders named good, normal, ok ... beside bad, ng, defect ..., others, `test` |
| train-test | `train/*`, `test/*`; or pictures beside a folder `test`, which are for training |
| dicom | 80 % of the files are DICOM, whatever their names |
| nifti | `*.nii`, `*.nii.gz` |
| arrays | one `.npz` or `.npy` |
| flat | pictures only, none of them labelled |
| table | one CSV or Parquet file without a column of paths |
"""

import os
import re
from dataclasses import replace
from pathlib import Path

from gantools.data.files import readable
from gantools.errors import ALL_FAILED, UserError

from . import manifest as lists
from .audit.findings import some
from .calibration.split import bucket
from .folder import own
from .items import Collection, Item
from .scans.dicom import code
from .scans.medical import ARRAYS, DICOM, NIFTI, ending, expand, is_dicom, read_as_dicom

LAYOUTS = ("manifest", "mvtec", "normal-abnormal", "train-test", "dicom", "nifti", "arrays",
           "flat", "table")  # fmt: skip
TABLES = (".csv", ".parquet", ".tsv")
TRASH = {"thumbs.db", "desktop.ini", "__macosx", "dicomdir"}
MASKS = {"ground_truth", "mask", "masks", "labels"}  # top folders beside those of kinds
MOST_LISTS = 5  # tables that are looked at for a list of the pictures
HELD = 2_000  # of 10 000 groups of normals go to the test part where nobody has divided them


def find(
    root, layout=None, *, groups=None, manifest=None, salt="gantools", part=None
) -> Collection:
    """Return what is to be looked at below a folder or in a file.

    Args:
        root: Folder, table, `.npz` or a single picture.
        layout: One of `LAYOUTS`, or None for the first that fits.
        groups: Name of a manifest's column, or a regular expression on the items' names whose first
            group (or whole match) says what belongs together.
        manifest: The table that lists the pictures, or None to look for one.
        salt: Of the codes that stand for DICOM identifiers; a secret of the project, kept with its
            plan so that codes stay the same.
        part: `(i, n)`: only this share of the items, see `Collection.others`; None for all.

    Raises:
        UserError: nothing is there, or the layout that was asked for does not fit, or would not
            read the manifest.
    """
    root = Path(root)
    if not root.exists():
        raise UserError(f"There is no folder or file '{root}'.")
    if layout is not None and layout not in LAYOUTS:
        raise UserError(f"Expected one of {', '.join(LAYOUTS)} as layout. Received: '{layout}'.")
    if manifest is not None and layout not in (None, "manifest"):
        raise UserError(
            f"--manifest '{manifest}' would not be read by the layout '{layout}'. Give one of them."
        )
    files, skipped, notes = list_files(root)
    folder = root if root.is_dir() else root.parent
    if not files:
        raise UserError(f"'{root}' holds no files that can be used.", ALL_FAILED)
    if manifest is not None and not Path(manifest).is_file():
        raise UserError(f"There is no manifest '{manifest}'.")
    listed = None
    if layout in (None, "manifest"):
        listed, passed = _list(folder, files, manifest)
        notes += passed
    for name in LAYOUTS if layout is None else (layout,):
        found = _FINDERS[name](folder, files, groups, listed)
        if found is not None and (layout or _holds_something(found)):
            found = replace(
                found, skipped=(*skipped, *found.skipped), notes=(*found.notes, *notes)
            )  # fmt: skip
            return _finished(_with_rest(found, files, salt), groups, salt, part)
    if layout is not None:
        raise UserError(
            f"'{root}' does not have the layout '{layout}'. Leave it out to have it found, "
            f"or give another of {', '.join(LAYOUTS)}."
        )
    raise UserError(
        f"'{root}' holds nothing that can be scored. Expected pictures, DICOM, NIfTI, .npz or one "
        f"table. Received: {len(files)} other files, for example '{files[0].name}'.",
        ALL_FAILED,
    )


def list_files(root: Path) -> tuple[list[Path], list[tuple[str, str]], list[str]]:
    """Return all files below a folder, sorted, `(name, reason)` of those passed over, and notes.

    Hidden files, trash of operating systems, empty files and folders of our own results and models
    are skipped, the last with a note; a folder that a link leads back to is visited once. An empty
    file that is a picture or a scan by its name is none of these: somebody will miss it.
    """
    if root.is_file():
        return [root], [], []
    files, skipped, notes, seen = [], [], [], set()
    for place, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            skipped.append((_name(Path(place), root), "a link back to a folder already seen"))
            continue
        seen.add(real)
        hidden = [n for n in (*folders, *names) if n.startswith(".") or n.lower() in TRASH]
        skipped += [(_name(Path(place, n), root), "hidden or trash") for n in hidden]
        ours = {n: what for n in set(folders) - set(hidden) if (what := own(Path(place, n)))}
        skipped += [(_name(Path(place, n), root), what) for n, what in sorted(ours.items())]
        notes += [f"The folder '{n}' holds {what}: left out." for n, what in sorted(ours.items())]
        folders[:] = sorted(set(folders) - set(hidden) - set(ours))
        for name in sorted(set(names) - set(hidden)):
            path = Path(place, name)
            why = lists.trouble_of(path)
            if why and (why == lists.LOST or not _is_named_picture(path)):
                skipped.append((_name(path, root), "empty or a broken link"))
                continue
            files.append(path)
    return sorted(files), skipped, notes


def is_picture(path: Path) -> bool:
    """Return whether one file may be one or more pictures, by its name or preamble."""
    return _is_named_picture(path) or (ending(path) not in TABLES and is_dicom(path))


def _is_named_picture(path):
    from gantools.data.pictures import SUFFIXES

    return ending(path) in (*SUFFIXES, *NIFTI, *DICOM)


def _list(root, files, manifest):
    """Return `(Manifest or None, notes)` of the tables that may list the pictures."""
    tables = [Path(manifest)] if manifest else [f for f in files if ending(f) in TABLES]
    alone = len(files) == len(tables) and not manifest
    if not tables or (alone and (len(tables) > 1 or ending(tables[0]) == ".parquet")):
        return None, []
    pictures = [f for f in files if is_picture(f)]
    if len(tables) > MOST_LISTS:
        names = some([_name(file, root) for file in tables])
        note = f"warning: {len(tables)} tables ({names}) are not read as lists of the pictures."
        return None, [f"{note} Give --manifest FILE if one is."]
    tables = sorted(tables, key=lambda f: (len(f.parts), f.name))
    pictures = [f for f in pictures if f.relative_to(root).parts[0].lower() not in MASKS]
    found, notes = lists.find_list(tables, root, pictures, manifest)
    return found, notes if pictures else []


def _manifest(root, files, groups, listed):
    if listed is None:
        return None
    items, notes = lists.manifest_items(listed, root, groups)
    items = [replace(i, mask=i.mask or _mask(root, i.path)) for i in items]
    notes = (f"The pictures are listed in {listed.file.name}, column '{listed.column}'.", *notes)
    return Collection(root, "manifest", tuple(items), notes)


def _mvtec(root, files, groups, listed):
    below = {path: path.relative_to(root).parts for path in files if is_picture(path)}
    train = [p for p, parts in below.items() if parts[:1] == ("train",) and len(parts) > 2]
    if not any(lists.label_of(below[path][1]) == 0 for path in train):
        return None
    items = []
    for path, parts in below.items():
        if len(parts) > 2 and lists.part_of(parts[0]):
            label = lists.label_of(parts[1])
            label = 1 if label is None else label
            mask = _mask(root, path) if label else None
            items.append(_item(root, path, lists.part_of(parts[0]), label, parts[1], mask))
    return Collection(root, "mvtec", tuple(items))


def _normal_abnormal(root, files, groups, listed):
    items, divided, masks = [], [], []
    for path in files:
        parts = path.relative_to(root).parts
        if len(parts) < 2 or not is_picture(path):
            continue
        if parts[0].lower() in MASKS:
            masks.append(path)
        elif lists.part_of(parts[0]):  # a part says nothing of what its pictures are
            divided.append(_of_part(root, path))
        else:
            items.append(_item(root, path, "train", lists.label_of(parts[0]), parts[0]))
    if not any(item.label == 0 for item in items):
        return None
    folders = sorted({path.relative_to(root).parts[0] for path in masks})
    tested = any(item.part == "test" for item in divided)
    part, bad = "test" if tested else "train", sum(item.label != 0 for item in items)
    items = tuple(
        i if i.label == 0 else replace(i, label=1, part=part, mask=_mask(root, i.path, folders))
        for i in items
    )
    note = f"Anomalous pictures outside the folder of the test: {bad}. They are scored with it."
    items += tuple(
        replace(i, mask=_mask(root, i.path, folders)) if i.label == 1 else i for i in divided
    )
    used = {item.mask for item in items}
    rest = [(_name(p, root), "in a folder of masks, but of no anomalous picture") for p in masks]
    rest = tuple(one for one, path in zip(rest, masks, strict=True) if path not in used)
    notes = (note,) if tested and bad else ()
    return Collection(root, "normal-abnormal", items, notes, rest)


def _train_test(root, files, groups, listed):
    items, loose = [], []
    for path in files:
        parts = path.relative_to(root).parts
        if len(parts) == 1:
            loose.append(path)
        elif lists.part_of(parts[0]) and is_picture(path):
            items.append(_of_part(root, path))
    there = {item.part for item in items}
    if "test" in there and "train" not in there:
        items += [_item(root, path, "train", None, "") for path in loose if is_picture(path)]
        there = {item.part for item in items}
    return Collection(root, "train-test", tuple(items)) if {"train", "test"} <= there else None


def _of_part(root, path):
    """Return the item of a picture below a folder `train`, `val` or `test`."""
    parts = path.relative_to(root).parts
    kind = parts[1] if len(parts) > 2 else ""
    label = lists.label_of(kind)
    if label is None and read_as_dicom(path):
        kind = ""  # such folders are often named after patients
    return _item(root, path, lists.part_of(parts[0]), label, kind)


def _dicom(root, files, groups, listed):
    found = [path for path in files if is_dicom(path)]
    if not found or len(found) < 0.8 * len(files):
        return None
    other = tuple((_name(p, root), "not DICOM") for p in sorted(set(files) - set(found)))
    items = tuple(_item(root, path, "train", None, "") for path in found)
    return Collection(root, "dicom", items, _mostly(len(items)), other)


def _nifti(root, files, groups, listed):
    found = [path for path in files if ending(path) in NIFTI]
    if not found:
        return None
    items = tuple(_item(root, path, "train", None, "") for path in found)
    return Collection(root, "nifti", items, _mostly(len(items)))


def _arrays(root, files, groups, listed):
    found = [path for path in files if ending(path) in ARRAYS]
    if len(found) != 1 or any(not lists.trouble_of(path) for path in set(files) - set(found)):
        return None
    from .arrays import array_items

    items = array_items(found[0])
    return Collection(root, "arrays", tuple(items)) if items else None


def _flat(root, files, groups, listed):
    items = tuple(_item(root, path, "train", None, "") for path in files if is_picture(path))
    return Collection(root, "flat", items, _mostly(len(items))) if items else None


def _table(root, files, groups, listed):
    found = [path for path in files if ending(path) in TABLES]
    found += [path for path in files if path.name.lower().endswith((".csv.gz", *ARRAYS))]
    return Collection(root, "table", table=found[0]) if len(found) == 1 else None


def _with_rest(collection: Collection, files, salt) -> Collection:
    """Count the pictures that no item uses, as itself or as its mask, among the skipped."""
    used = {collection.table, *(path for i in collection.items for path in (i.path, i.mask))}
    known, root = {name for name, _ in collection.skipped}, collection.root
    rest = [path for path in files if path not in used and _name(path, root) not in known]
    rest = [path for path in rest if is_picture(path) or ending(path) in ARRAYS]
    if rest:  # a list may name its pictures in other words
        used = {os.path.realpath(path) for path in used if path}
        rest = [path for path in rest if os.path.realpath(path) not in used]
    if not rest:
        return collection
    names = [_name(path, root) for path in rest]
    names = [code(n, salt) if read_as_dicom(p) else n for n, p in zip(names, rest, strict=True)]
    note = (
        f"warning: {len(rest)} pictures or masks ({some(names)}) are left out: the layout "
        f"{collection.layout} has no place for them."
    )
    skipped = (*collection.skipped, *((name, "of no item of this layout") for name in names))
    return replace(collection, skipped=skipped, notes=(*collection.notes, note))


def _finished(collection: Collection, groups, salt, part) -> Collection:
    """Sort, open what holds several pictures, add groups by regular expression, take a share."""
    items = tuple(sorted(collection.items, key=lambda item: item.name))
    if groups is not None and items and not any(item.group for item in items):
        items = _grouped(items, groups)
    collection = expand(replace(collection, items=items), salt, part)
    if collection.layout in ("manifest", "normal-abnormal"):
        collection = _held(collection)
    if collection.items and not any(item.group for item in collection.items):
        note = "No groups are known: if several pictures show one patient or part, give --groups."
        collection = replace(collection, notes=(*collection.notes, note))
    return collection


def _grouped(items, groups):
    try:
        pattern = re.compile(groups)
    except re.error as error:
        raise UserError(
            f"--groups '{groups}' is neither a column nor a regular expression ({error})."
        ) from error
    hits = [pattern.search(item.name) for item in items]
    if not any(hits):
        raise UserError(
            f"--groups '{groups}' fits none of {len(items)} names, for example '{items[0].name}'."
        )
    texts = [hit and (hit.group(1) if pattern.groups else hit.group()) for hit in hits]
    return tuple(replace(i, group=text or i.group) for i, text in zip(items, texts, strict=True))


def _held(collection: Collection) -> Collection:
    """Give the test part, if nobody has made one, all known anomalies and 20 % of the normals."""
    items = collection.items
    if not any(i.label == 1 for i in items) or any(i.part == "test" for i in items):
        return collection

    def held(item):
        return item.part == "train" and bucket(item.group or item.name, 0, "test") < HELD

    parts = ["test" if i.label == 1 or held(i) else i.part for i in items]
    note = "Nobody has divided the normals: 20 % of them, by group, are held back for the test."
    return replace(
        collection,
        items=tuple(replace(i, part=part) for i, part in zip(items, parts, strict=True)),
        notes=(*collection.notes, note),
    )


def _item(root, path, part, label, kind, mask=None):
    why = lists.trouble_of(path)
    return Item(path, _name(path, root), part, label, readable(kind), mask=mask, trouble=why)


def _mask(root, path, folders=()):
    """Return the mask of a picture, or None.

    In the MVTec manner that of `test/hole/3.png` lies in `ground_truth/hole/`. Where kinds are the
    top folders, that of `hole/3.png` lies in `hole/` below one of the `folders` of masks, or there.
    """
    parts = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
    places = [root.joinpath("ground_truth", *parts[1:])] if len(parts) > 1 else []
    if folders:
        places = [root.joinpath(f, *rest) for f in folders for rest in (parts, parts[1:])]
    names = (f"{path.stem}_mask.png", f"{path.stem}.png", path.name)
    found = (place / name for place in places for name in names)
    return next((mask for mask in found if mask.is_file()), None)


def _holds_something(found):
    """Return whether anything of a layout can be opened: one empty picture makes no layout."""
    return found.table is not None or not all(item.trouble for item in found.items)


def _mostly(count):
    return (f"Nothing is labelled: all {count} files are taken as mostly normal.",)


def _name(path, root):
    return readable(path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name)


_FINDERS = {
    "manifest": _manifest, "mvtec": _mvtec, "normal-abnormal": _normal_abnormal,
    "train-test": _train_test, "dicom": _dicom, "nifti": _nifti, "arrays": _arrays,
    "flat": _flat, "table": _table,
}  # fmt: skip
