"""Options that several commands of `superres` have, with one meaning."""

import click

ENGINES = ("auto", "openvino", "onnxruntime", "opencv", "keras")  # as in engine.py, which is heavy

model = click.option(
    "--model", default="fast", show_default=True, help="Name of a network, or a .safetensors file."
)
engine = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="auto takes the fastest that is installed.",
)
threads = click.option(
    "--threads", type=click.IntRange(1), help="Processor threads; all if not given."
)
