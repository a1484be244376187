"""Options that several commands of `superres` have, with one meaning, and those of enlarging."""

import click

from gantools.options import Finite

MODEL = "photo"  # the network that is taken unless another is named
ENGINES = ("auto", "openvino", "onnxruntime", "opencv", "keras")  # as in engine.py, which is heavy
FORMATS = ("png", "jpg", "webp", "tif", "bmp", "avif")  # as in batch.py
PAGES = (".html", ".htm")  # as in compare.py
VIEWS = ("1", "2", "4", "8")  # as in views.py
DEVICES = ("cpu", "gpu")
QUALITY = 95  # of JPEG, WebP and AVIF; no default of the option, which clips refuse
COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128)}


class Pair(click.ParamType):
    """Two numbers of pixels, WIDTHxHEIGHT."""

    name = "WxH"

    def convert(self, value, param, ctx):
        """Return `(width, height)`."""
        width, cross, height = str(value).lower().partition("x")
        good = cross and width.isdecimal() and height.isdecimal()
        good = good and int(width) and int(height)
        return (
            (int(width), int(height))
            if good
            else self.fail(f"{value!r} is not like 1920x1080.", param, ctx)
        )


class Memory(click.ParamType):
    """A number of bytes with K, M or G."""

    name = "SIZE"

    def convert(self, value, param, ctx):
        """Return the bytes."""
        text = str(value).strip().upper().removesuffix("B").removesuffix("I")
        factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
        try:
            return int(float(text.rstrip("KMG")) * factor)
        except (ValueError, OverflowError):
            return self.fail(f"{value!r} is not like 800M or 1G.", param, ctx)


class Colour(click.ParamType):
    """A colour: a name, or #RRGGBB."""

    name = "COLOUR"

    def convert(self, value, param, ctx):
        """Return `(red, green, blue)`."""
        text = str(value).lower()
        digits = text.removeprefix("#")
        if text in COLOURS:
            return COLOURS[text]
        if len(digits) == 6 and all(digit in "0123456789abcdef" for digit in digits):
            return tuple(int(digits[i : i + 2], 16) for i in (0, 2, 4))
        return self.fail(
            f"{value!r} is none of {', '.join(COLOURS)} and not like #ff8800.", param, ctx
        )


model = click.option(
    "--model",
    default=MODEL,
    show_default=True,
    help="Name of a network, or a .safetensors or .onnx file.",
)
engine = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="auto takes the fastest that is installed.",
)
device = click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="cpu",
    show_default=True,
    help="gpu: Keras on JAX, PyTorch or TensorFlow.",
)
threads = click.option(
    "--threads", type=click.IntRange(1), help="Processor threads; all if not given."
)
_SIDE = click.IntRange(1)
_SIZE = (
    click.option(
        "--scale",
        type=Finite(1, 16),
        help="Factor from 1 to 16; 4 if nothing says the size.",
    ),
    click.option("--size", type=Pair(), help="Exactly this width and height."),
    click.option("--width", type=_SIDE, metavar="PIXELS", help="This width; the height follows."),
    click.option("--height", type=_SIDE, metavar="PIXELS", help="This height; the width follows."),
    click.option("--fit", type=Pair(), help="As large as fits into this box."),
    click.option(
        "--megapixels",
        type=Finite(0, min_open=True),
        metavar="N",
        help="About so many million pixels.",
    ),
)
_FILES = (
    click.option("--recursive", is_flag=True, help="Take folders inside folders, too."),
    click.option("--format", "kind", type=click.Choice(FORMATS), help="Format of the results."),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        help=f"Of JPEG, WebP and AVIF; {QUALITY} if not given.",
    ),
    click.option(
        "--background",
        type=Colour(),
        help="Put behind transparency: white, black, grey or #RRGGBB.",
    ),
    click.option(
        "--keep-metadata/--strip-metadata",
        "keep",
        default=True,
        help="EXIF, XMP, texts; colour profiles are always kept.",
    ),
    click.option("--overwrite", is_flag=True, help="Make files again that are already there."),
)
strength = click.option(
    "--strength",
    type=Finite(0, 1),
    help="From the network (0) to its adversarially trained twin (1).",
)
tta = click.option(
    "--tta",
    type=click.Choice(VIEWS),
    default="1",
    show_default=True,
    help="Mean of so many turned views: slower, up to 0.2 dB.",
)
no_projection = click.option(
    "--no-projection", is_flag=True, help="Do not bring the result back to the input's colours."
)
_NETWORK = (
    strength,
    tta,
    click.option(
        "--wrap", is_flag=True, help="Seamless texture: edges go on at the opposite side."
    ),
    no_projection,
    click.option("--memory", type=Memory(), help="Budget like 1G; smaller tiles, same result."),
)
_CLIPS = (
    click.option("--start", type=Finite(0), metavar="SECONDS", help="Of a clip, from."),
    click.option("--frames", type=click.IntRange(1), metavar="N", help="Of a clip, so many."),
    click.option(
        "--crf", type=click.IntRange(0, 63), help="Of a clip: 16; less is better and larger."
    ),
    click.option("--deinterlace", is_flag=True, help="Of a clip: one picture of two fields."),
    click.option("--no-damping", is_flag=True, help="Of a clip: leave flicker as it is."),
)
_MANY = (
    click.option(
        "--jobs",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Pictures at the same time, each in its own process.",
    ),
    click.option("--shard", metavar="I/N", help="Only share I of N, for several machines."),
)
_TOLD = (
    click.option("--dry-run", is_flag=True, help="Only tell size, memory and time."),
    click.option(
        "--report",
        type=click.Path(dir_okay=False),
        metavar="FILE.json",
        help="Write what was done and how true it is to the input.",
    ),
    click.option(
        "--compare",
        metavar="[FILE.html]",
        help="Make a page of before and after with a slider, and a PNG of both.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Tell what was done as JSON on stdout."),
    click.option("-q", "--quiet", is_flag=True, help="Tell only warnings and errors."),
    click.option("-v", "--verbose", is_flag=True, help="Tell engine and time of each picture."),
)


def enlarging(command):
    """Add all options of enlarging to a function."""
    groups = (*_SIZE, model, *_NETWORK, *_FILES, *_CLIPS, engine, device, threads, *_MANY, *_TOLD)
    for option in reversed(groups):
        command = option(command)
    return command


def page_named(words):
    """Return the words of a command line in which --compare always has a value, empty if none.

    What follows is its value only if it ends in .html: else it is a picture or another option.
    """
    following = [*words[1:], ""]
    return [
        f"{word}=" if word == "--compare" and not after.lower().endswith(PAGES) else word
        for word, after in zip(words, following, strict=True)
    ]
