"""Finished stretches of a clip on disk, so that a run that is killed goes on where it was.

Beside the target lies a folder `TARGET.part`: `job.json` says what is being made, `00000.segment`,
`00001.segment` ... hold the encoder's packets of so many frames each, and the newest `.state` what
the frame after them depends on. A file is whole or not there.

A segment is a list of records, little-endian: time stamp, duration, 1 for a key frame, and length
of the packet (`<qqBI`), then its bytes. At its end: packets and CRC-32 of all before (`<II`).
"""

import json
import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gantools.data.files import atomic, make_folder
from gantools.errors import UserError

RECORD, END = struct.Struct("<qqBI"), struct.Struct("<II")
BLOCK = 1 << 20


@dataclass(frozen=True)
class Packet:
    """A compressed frame.

    Attributes:
        pts, duration: In the clip's time base.
        key: Whether decoding can start here.
        data: Its bytes; empty where only times are wanted.
    """

    pts: int
    duration: int
    key: bool
    data: bytes = b""


class Segments:
    """The segments of one target.

    Args:
        target: The clip that is being made.
        job: What decides the result, as JSON data: all of it must be the same to go on.
        fresh: Whether to throw away what another job has left.

    Raises:
        UserError: the folder holds another job or is none of ours, or cannot be made.
    """

    def __init__(self, target: Path, job: dict, *, fresh: bool = False):
        self.folder = target.with_name(f"{target.name}.part")
        described, note = json.loads(json.dumps(job, default=str)), self.folder / "job.json"
        held = _read(note)
        if held is not None and held != described:
            if not fresh:
                raise UserError(_difference(self.folder, held, described))
            shutil.rmtree(self.folder)
        make_folder(self.folder)
        others = [path for path in self.folder.iterdir() if not path.name.startswith(note.name)]
        if others and not note.exists():
            raise UserError(
                f"The folder '{self.folder}' is in the way: finished parts of '{target}' would lie "
                "in it, and it holds other files. Move it away, or choose another name."
            )
        if not note.exists() or held is None:
            with atomic(note) as part:
                part.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")

    def finished(self) -> list[Path]:
        """Return the whole segments from the first one on, and forget what lies beyond."""
        whole = []
        while (path := self._path(len(whole), "segment")).exists() and _is_whole(path):
            whole.append(path)
        if whole and not self._path(len(whole) - 1, "state").exists():
            whole = []  # nothing to go on from
        for path in self.folder.glob("*.segment"):
            if path not in whole:
                path.unlink()
        return whole

    def write(self, number: int, packets: Iterator[Packet], memory) -> Path:
        """Write a segment, and what the frame after it depends on; return its path.

        Args:
            number: Of the segment, from 0.
            packets: In the encoder's order.
            memory: Function that returns arrays by name, called when the packets have been taken.
        """
        count, crc = 0, 0
        with atomic(self._path(number, "segment")) as part, part.open("wb") as file:
            for packet in packets:
                head = RECORD.pack(packet.pts, packet.duration, packet.key, len(packet.data))
                crc = zlib.crc32(packet.data, zlib.crc32(head, crc))
                file.write(head + packet.data)
                count += 1
            file.write(END.pack(count, crc))
            # Before the segment gets its name: a segment always has its state.
            with atomic(self._path(number, "state")) as state, state.open("wb") as out:
                np.savez(out, **memory())
        for old in self.folder.glob("*.state"):
            if old != self._path(number, "state"):
                old.unlink()
        return self._path(number, "segment")

    def memory(self, number: int) -> dict[str, np.ndarray]:
        """Return what the frame after a segment depends on."""
        with np.load(self._path(number, "state"), allow_pickle=False) as arrays:
            return dict(arrays)

    def remove(self, *, unless_held: bool = False) -> None:
        """Remove the folder, or keep it if it holds a segment and that is `unless_held`."""
        if not (unless_held and any(self.folder.glob("*.segment"))):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number, kind):
        return self.folder / f"{number:05d}.{kind}"


def packets(path: Path, *, times_only: bool = False) -> Iterator[Packet]:
    """Yield the packets of a segment; their bytes are left out if only times are wanted."""
    left = path.stat().st_size - END.size
    with path.open("rb") as file:
        while left:
            pts, duration, key, length = RECORD.unpack(file.read(RECORD.size))
            data = b""
            if times_only:
                file.seek(length, 1)
            else:
                data = file.read(length)
            left -= RECORD.size + length
            yield Packet(pts, duration, bool(key), data)


def _is_whole(path):
    """Return whether a segment is as it was written: a power cut may have cut it."""
    size, crc = path.stat().st_size - END.size, 0
    if size <= 0:
        return False
    with path.open("rb") as file:
        while size:
            block = file.read(min(size, BLOCK))
            crc, size = zlib.crc32(block, crc), size - len(block)
        return END.unpack(file.read())[1] == crc


def _read(note):
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, or cut by a power failure
        return None


def _difference(folder, held, wanted):
    """Return the sentence that names what another job had in another way."""
    names = [name for name in {**held, **wanted} if held.get(name) != wanted.get(name)]
    said = ", ".join(f"{name} {_short(held.get(name))}" for name in names)
    return (
        f"'{folder}' holds the beginning of another job: {said}. The same command as then goes "
        "on; --overwrite starts afresh."
    )


def _short(value):
    text = json.dumps(value)
    return text if len(text) < 60 else "another"
