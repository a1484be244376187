"""How large a picture is to become: a factor, a side, a box, a number of megapixels."""

import math
from dataclasses import dataclass

from gantools.errors import UserError

SMALLEST, LARGEST = 1, 16  # factors
SLACK = 1e-6  # a factor that a side rounded to whole pixels may be over the limit


@dataclass(frozen=True)
class Wish:
    """One way to say a size; exactly one is given, or width and height together as `size`.

    Attributes:
        scale: Factor from 1 to 16.
        size: `(width, height)` exactly, whatever the sides' ratio was.
        width, height: Pixels of one side; the ratio is kept.
        fit: `(width, height)` of a box that the picture shall fill as far as its ratio allows.
        megapixels: Millions of pixels, as near as the ratio allows.
    """

    scale: float | None = None
    size: tuple[int, int] | None = None
    width: int | None = None
    height: int | None = None
    fit: tuple[int, int] | None = None
    megapixels: float | None = None

    def __post_init__(self):
        given = [name for name in WAYS if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(f"--{name}" for name in given) or "none"
            raise UserError(f"Say the size in one way. Received: {said}.")
        if self.scale is not None and not SMALLEST <= self.scale <= LARGEST:
            raise UserError(
                f"Pictures are enlarged {SMALLEST} to {LARGEST} times. Received: {self.scale:g}."
            )
        value = getattr(self, given[0])
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(0 < number < math.inf for number in numbers):
            raise UserError(f"--{given[0]}: expected numbers above 0. Received: {value}.")

    def of(self, height: int, width: int) -> tuple[int, int]:
        """Return `(height, width)` of the enlarged picture.

        Raises:
            UserError: that would be smaller than the picture, or more than 16 times larger.
        """
        wanted = self._sides(height, width)
        factors = [new / old for new, old in zip(wanted, (height, width), strict=True)]
        if min(factors) < SMALLEST or max(factors) > LARGEST + SLACK:
            raise UserError(
                f"{width}x{height} pixels cannot become {wanted[1]}x{wanted[0]}: pictures are "
                f"enlarged {SMALLEST} to {LARGEST} times."
            )
        return wanted

    def turned(self) -> "Wish":
        """Return the wish for a picture that is stored lying on its side."""
        swapped = {name: pair[::-1] for name in ("size", "fit") if (pair := getattr(self, name))}
        sides = {"width": self.height, "height": self.width}
        return Wish(**({name: getattr(self, name) for name in WAYS} | sides | swapped))

    @property
    def label(self) -> str:
        """Return the wish as a part of a file's name: x4, x2.5, 800x600, w800, h600, 8mp."""
        if self.scale is not None:
            return f"x{self.scale:g}"
        if self.size or self.fit:
            return ("fit" if self.fit else "") + "{}x{}".format(*(self.size or self.fit))
        if self.megapixels:
            return f"{self.megapixels:g}mp"
        return f"w{self.width}" if self.width else f"h{self.height}"

    def _sides(self, height, width):
        """Return the sides as wished, not checked."""
        if self.size:
            return self.size[::-1]
        if self.width:
            return max(1, _whole(height * self.width / width)), self.width
        if self.height:
            return self.height, max(1, _whole(width * self.height / height))
        if self.fit:
            factor = min(self.fit[0] / width, self.fit[1] / height)
            box = self.fit[::-1]
            return tuple(
                min(_whole(n * factor), most) for n, most in zip((height, width), box, strict=True)
            )
        factor = self.scale or math.sqrt(self.megapixels * 1e6 / (height * width))
        return _whole(height * factor), _whole(width * factor)


WAYS = tuple(Wish.__dataclass_fields__)


def _whole(value):
    return math.floor(value + 0.5 - 1e-9)
