"""Networks of one name for several scales, and which of them make a factor.

Any factor from 1 to 16 is made by networks one after the other and an exact reduction at the end:
x3 from x4, x1.5 from x2, x8 by x2 and then x4. Smaller networks go first: they have less to do.
"""

from collections.abc import Callable
from functools import cache, partial
from itertools import combinations_with_replacement
from math import prod
from pathlib import Path

import numpy as np

from gantools.errors import UserError

from .model import PICKLES, SUFFIX, Network, load, read, shipped, unknown

MOST_PASSES = 4
TWIN = "-gan"  # after the name of a network: the same plan, trained adversarially


class Family:
    """Networks of one name; each is read when it is first used.

    Args:
        name: For file names and reports.
        readers: `{scale: function that returns the network}`.
    """

    def __init__(self, name: str, readers: dict[int, Callable[[], Network]]):
        self.name, self._readers = name, {s: cache(read_it) for s, read_it in readers.items()}

    @classmethod
    def of(cls, network: Network) -> "Family":
        """Return the family of a single network."""
        return cls(network.plan.name, {network.scale: lambda: network})

    @property
    def scales(self) -> tuple[int, ...]:
        """Return the scales, smallest first."""
        return tuple(sorted(self._readers))

    def network(self, scale: int) -> Network:
        """Return the network of a scale."""
        return self._readers[scale]()

    def ladder(self, factor: float) -> tuple[int, ...]:
        """Return the scales of networks that together enlarge `factor` times or a little more.

        Raises:
            UserError: no four of them reach so far.
        """
        many = [
            steps
            for count in range(1, MOST_PASSES + 1)
            for steps in combinations_with_replacement(self.scales, count)
            if prod(steps) >= factor - 1e-6
        ]
        if not many:
            raise UserError(
                f"The network {self.name!r} enlarges x{self.scales[-1]}, which cannot make "
                f"x{factor:g}."
            )
        return min(many, key=lambda steps: (prod(steps), len(steps), steps))


def family(name: str | Path, strength: float | None = None) -> Family:
    """Return the networks of a name.

    Args:
        name: Name of shipped networks, or path of a weight file.
        strength: From 0, the network itself, to 1, its adversarially trained twin.

    Returns:
        The family; with a strength, of those scales that have a twin.

    Raises:
        UserError: there are none of that name, the file cannot be used, or there is no twin.
    """
    path = Path(name)
    if path.suffix.lower() == ".onnx":
        if strength is not None:
            raise _no_twin(name)
        from .foreign_onnx import open_graph

        graph = open_graph(path)
        return Family(path.stem, {graph.scale: lambda: graph})
    if path.suffix.lower() in PICKLES:
        raise UserError(
            f"'{path}' is a pickle, which can run a program when it is opened, so it never is. "
            "Convert it to .safetensors or .onnx with the program that made it."
        )
    if path.suffix == SUFFIX:
        if strength is not None:
            network = blend(read(path), read(_twin_of(path)), strength)
        else:
            network = read(path)
        return Family(path.stem, {network.scale: lambda: network})
    scales = {scale for known, scale in shipped() if known == str(name)}
    if not scales:
        raise unknown(name)
    if strength is None:
        return Family(str(name), {scale: partial(load, name, scale) for scale in scales})
    twin = f"{name}{TWIN}"
    scales &= {scale for known, scale in shipped() if known == twin}
    if not scales:
        raise _no_twin(name)

    def blended(scale):
        return blend(load(name, scale), load(twin, scale), strength)

    return Family(str(name), {scale: partial(blended, scale) for scale in scales})


def blend(one: Network, other: Network, share: float) -> Network:
    """Return the network whose weights lie between those of two of the same plan.

    Args:
        one, other: The networks at share 0 and 1.
        share: From 0 to 1.

    Raises:
        UserError: the plans differ, or the share is no share.

    Source: Wang et al. 2018, arXiv 1809.00219 (ESRGAN), section 3.4.
    """
    if not 0 <= share <= 1:
        raise UserError(f"The strength goes from 0 to 1. Received: {share:g}.")
    if one.plan.steps != other.plan.steps or one.scale != other.scale:
        raise UserError("Only networks of the same plan can be blended: these two differ.")
    keep, add = np.float32(1 - share), np.float32(share)
    arrays = {name: keep * a + add * other.arrays[name] for name, a in one.arrays.items()}
    chosen = other if share > 0.5 else one
    return Network(one.plan, arrays, chosen.card | {"strength": share})


def _twin_of(path):
    """Return the file of the twin: as `superres train` names both, or by the ending -gan."""
    places = [path.with_name(f"{path.stem}{TWIN}{SUFFIX}")]
    if path.stem == "fidelity":
        places.insert(0, path.with_name(f"gan{SUFFIX}"))
    found = [place for place in places if place.is_file()]
    if not found:
        raise _no_twin(path)
    return found[0]


def _no_twin(name):
    return UserError(
        f"The network '{name}' has no adversarially trained twin, so there is nothing for "
        "--strength to blend. Leave it out, or train one: gantools superres train --gan-minutes N."
    )
