"""A line chart as SVG text: a fault against healthy runs, the limit and the healthy band."""

from html import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 560, 260, 56, 34, 150, 36
FAULT, HEALTHY, BAND = "#c0392b", "#7f8c8d", "#d5f0dc"


def draw(title, cycles, fault, healthy, limit, band) -> str:
    """Return the chart.

    Args:
        title: Heading.
        cycles: Cycle of each check.
        fault: Value at each check; None where it was not measured.
        healthy: Name -> values of a healthy run at the same checks.
        limit: Alarm limit, a dashed line.
        band: `(low, high)` of healthy runs, shaded.
    """
    values = [
        v for line in (fault, *healthy.values(), band, (limit,)) for v in line if v is not None
    ]
    low, high = min(values), max(values)
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    last = max(cycles)

    def x(cycle):
        return LEFT + (WIDTH - LEFT - RIGHT) * cycle / last

    def y(value):
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    def line(values, colour, width):
        pairs = zip(cycles, values, strict=False)
        points = " ".join(f"{x(c):.1f},{y(v):.1f}" for c, v in pairs if v is not None)
        style = f'fill="none" stroke="{colour}" stroke-width="{width}"'
        return f'<polyline points="{points}" {style}/>'

    def text(px, py, words, anchor="start", colour="#333"):
        place = f'x="{px:.1f}" y="{py:.1f}" text-anchor="{anchor}" fill="{colour}"'
        return f"<text {place}>{escape(words)}</text>"

    edge = WIDTH - RIGHT
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<rect x="{LEFT}" y="{y(band[1]):.1f}" width="{edge - LEFT}" '
        f'height="{y(band[0]) - y(band[1]):.1f}" fill="{BAND}"/>',
        *(line(values, HEALTHY, 1) for values in healthy.values()),
        f'<line x1="{LEFT}" x2="{edge}" y1="{y(limit):.1f}" y2="{y(limit):.1f}" stroke="{FAULT}" '
        'stroke-dasharray="5 4"/>',
        line(fault, FAULT, 2),
        f'<path d="M{LEFT} {TOP} V{HEIGHT - BOTTOM} H{edge}" fill="none" stroke="#333"/>',
        text(LEFT, 20, title),
        text(LEFT - 6, y(limit) + 4, f"{limit:g}", "end", FAULT),
        *(text(LEFT - 6, y(v) + 4, f"{v:.2f}", "end") for v in (low, high)),
        text(x(last), HEIGHT - 12, f"cycle {last}", "end"),
        text(edge + 10, TOP + 14, "the fault", colour=FAULT),
        text(edge + 10, TOP + 32, "healthy runs", colour=HEALTHY),
        text(edge + 10, TOP + 50, "dashed: alarm", colour=FAULT),
        text(edge + 10, TOP + 68, "green: healthy band"),
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'{head} font-family="sans-serif" font-size="12">\n' + "\n".join(parts) + "\n</svg>\n"
