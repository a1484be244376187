"""Small charts as inline SVG: bars, histograms, curves. Colours are safe for the colour-blind.

Every chart has a title that screen readers read, text in the page's own font, and no script.
Colours: Okabe and Ito's palette.
"""

import math

import numpy as np

from gantools.report.page import Raw, escape

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#8a939c"
COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#1b1f24")
LETTER = 6.6  # pixels a letter takes at most, on average
MARGIN = (46, 20, 34, 12)  # left, right, bottom, top


def bars(values, *, title: str, unit: float = 1.0, most: float | None = None, room=130) -> Raw:
    """Return horizontal bars with their names.

    Args:
        values: Name -> number; negative ones are drawn as 0.
        title: What they are.
        unit: Value at which a thin line stands: the level of normals.
        most: Value of a full bar; None takes the largest, at least 2 units.
        room: For the longest bar, in pixels; names stand to its left.
    """
    most = most or max([2 * unit, *(v for v in values.values() if math.isfinite(v))])
    step, height = 16, 16 * len(values) + 4
    left = 12 + LETTER * max((len(name) for name in values), default=0)
    width = left + room + 4
    parts = []
    for i, (name, value) in enumerate(values.items()):
        value = min(max(value, 0.0), most) if math.isfinite(value) else 0.0
        colour = ORANGE if value > unit else BLUE
        parts.append(
            f'<text x="{left - 6}" y="{i * step + 12}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{left}" y="{i * step + 3}" width="{room * value / most:.1f}" height="10" '
            f'fill="{colour}"/>'
        )
    x = left + room * unit / most
    parts.append(f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height}" stroke="#1b1f24"/>')
    return _drawing(title, width, height, "".join(parts))


def histogram(groups, *, title: str, axis: str, bins=20, limits=None, marks=(), size=(520, 200)):
    """Return histograms of one or more groups over one axis, drawn as outlines.

    Args:
        groups: Name -> `(n,)` numbers; NaN is left out. Each group's bars sum to 1.
        title, axis: What is shown, and the name of the horizontal axis.
        bins: Number of bins.
        limits: `(low, high)`, or None for the range of all.
        marks: `(value, text)` of vertical lines.
        size: Width and height in pixels.
    """
    values = {name: np.asarray(v, float) for name, v in groups.items()}
    values = {name: v[np.isfinite(v)] for name, v in values.items()}
    everything = np.concatenate([*values.values(), [m for m, _ in marks]])
    low, high = limits or _range(everything)
    counts = {
        name: np.histogram(v, bins, (low, high))[0] / max(1, len(v)) for name, v in values.items()
    }
    top = max([1e-9, *(c.max() for c in counts.values())])
    edges = np.linspace(low, high, bins + 1)
    lines = {
        name: (np.repeat(edges, 2)[1:-1], np.repeat(count, 2)) for name, count in counts.items()
    }
    return curves(
        lines, title=title, axes=(axis, "share"), x=(low, high), y=(0, top), marks=marks, size=size
    )


def curves(
    lines, *, title: str, axes, x=None, y=None, marks=(), levels=(), band=None, size=(520, 260),
    low_legend=False,
) -> Raw:  # fmt: skip
    """Return curves over common axes with a legend.

    Args:
        lines: Name -> `(x values, y values)`.
        title: What is shown.
        axes: Names of the horizontal and the vertical axis.
        x, y: `(low, high)`, or None for the range of all.
        marks: `(x value, text)` of vertical lines.
        levels: `(y value, text)` of horizontal lines.
        band: `(low, high)` on the vertical axis, shaded; or None.
        size: Width and height in pixels.
        low_legend: Whether the legend stands in the lower right corner, not the upper one.
    """
    (width, height), (left, right, bottom, top) = size, MARGIN
    legend = height - bottom - 15 * len(lines) - 4 if low_legend else top
    x = x or _range(np.concatenate([np.asarray(a, float) for a, _ in lines.values()]))
    heights = [np.asarray(b, float) for _, b in lines.values()]
    y = y or _range(np.concatenate([*heights, [v for v, _ in levels], band or []]))

    def place(a, b):
        u = left + (np.asarray(a, float) - x[0]) / (x[1] - x[0]) * (width - left - right)
        v = (
            height
            - bottom
            - (np.asarray(b, float) - y[0]) / (y[1] - y[0]) * (height - bottom - top)
        )
        return u, v

    parts = [_shade(band, place, x), _axes(x, y, axes, place, size)]
    for i, (name, (a, b)) in enumerate(lines.items()):
        colour, (u, v) = COLOURS[i % len(COLOURS)], place(a, b)
        points = " ".join(f"{p:.1f},{q:.1f}" for p, q in zip(u, v, strict=True) if q == q)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(
            f'<text x="{width - right - 4}" y="{legend + 12 + 15 * i}" text-anchor="end" '
            f'fill="{colour}">{escape(name)}</text>'
        )
    ends = [(m, y[0], m, y[1], text) for m, text in marks]
    ends += [(x[0], level, x[1], level, text) for level, text in levels]
    parts += [_dashed(place, *one) for one in ends]
    return _drawing(title, width, height, "".join(parts))


def as_file(chart) -> str:
    """Return a chart as the text of an SVG file of its own; inside HTML it needs no namespace."""
    return chart.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def _shade(band, place, x):
    if band is None:
        return ""
    (left, right), (low, high) = place(x, band)
    return (
        f'<rect x="{left:.1f}" y="{high:.1f}" width="{right - left:.1f}" '
        f'height="{low - high:.1f}" fill="#dcefe7"/>'
    )


def _dashed(place, x1, y1, x2, y2, text):
    """Return a dashed line with its text at the upper left end."""
    (u1, u2), (v1, v2) = place([x1, x2], [y1, y2])
    top = min(v1, v2) + (10 if v1 != v2 else -4)
    return (
        f'<line x1="{u1:.1f}" x2="{u2:.1f}" y1="{v1:.1f}" y2="{v2:.1f}" stroke="{GREY}" '
        f'stroke-dasharray="4 3"/><text x="{u1 + 3:.1f}" y="{top:.1f}" '
        f'fill="{GREY}">{escape(text)}</text>'
    )


def _axes(x, y, names, place, size):
    (width, height), (left, right, bottom, _) = size, MARGIN
    parts = []
    for value in ticks(*x):
        u = float(place([value], [y[0]])[0][0])
        parts.append(
            f'<text x="{u:.1f}" y="{height - bottom + 14}" text-anchor="middle">{value:g}</text>'
        )
    for value in ticks(*y, count=4):
        v = float(place([x[0]], [value])[1][0])
        parts.append(
            f'<line x1="{left}" x2="{width - right}" y1="{v:.1f}" y2="{v:.1f}" stroke="#e3e7eb"/>'
            f'<text x="{left - 6}" y="{v + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    parts.append(
        f'<text x="{(left + width - right) / 2}" y="{height - 4}" text-anchor="middle" '
        f'fill="{GREY}">{escape(names[0])}</text>'
        f'<text x="12" y="{height / 2}" text-anchor="middle" fill="{GREY}" '
        f'transform="rotate(-90 12 {height / 2})">{escape(names[1])}</text>'
    )
    return "".join(parts)


def ticks(low, high, count=6):
    """Return round numbers between two limits: steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= raw)
    return [
        round(k * step, 12)
        for k in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)
    ]


def _range(values):
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _drawing(title, width, height, body):
    return Raw(
        f'<svg role="img" aria-label="{escape(title)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-size="11" font-family="system-ui,sans-serif">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )
