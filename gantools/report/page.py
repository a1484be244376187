"""A self-contained HTML page: sections, tables and pictures in one file.

Nothing is fetched: style, script and pictures are inside, and a content-security policy forbids
everything else. The page reads without script; scripts may only sort, filter and show more. Every
text passes `escape`, so that a file name is never markup.
"""

import base64
import hashlib
import html
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from gantools.data.files import readable

MARK = '<meta name="generator" content="gantools">'
STYLE = """
:root{color-scheme:light;--ink:#1b1f24;--soft:#59636e;--line:#d7dce1;--paper:#fff;--tint:#f4f6f8;
--accent:#0072b2;--alarm:#d55e00}
*{box-sizing:border-box}
body{margin:0;font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:var(--ink);
background:var(--paper)}
header,main,footer{max-width:1080px;margin:0 auto;padding:0 20px}
header{padding-top:28px}h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:34px 0 10px;
border-top:1px solid var(--line);padding-top:22px}h3{font-size:15px;margin:16px 0 6px}
nav{position:sticky;top:0;background:var(--paper);border-bottom:1px solid var(--line);z-index:2}
nav ul{max-width:1080px;margin:0 auto;padding:8px 20px;display:flex;flex-wrap:wrap;gap:4px 16px;
list-style:none}a{color:var(--accent)}nav a{text-decoration:none}
p.lead{font-size:17px}small,.soft{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600}td.number,th.number{text-align:right}
.scroll{overflow-x:auto}img{max-width:100%;height:auto;image-rendering:auto;display:block}
figure{margin:0}figcaption{color:var(--soft);font-size:12px}
.error{border-left:4px solid var(--alarm);padding-left:10px}
.warning{border-left:4px solid #e69f00;padding-left:10px}
.note{border-left:4px solid var(--line);padding-left:10px}
footer{color:var(--soft);padding:30px 20px 60px;font-size:13px}
@media print{nav,button,.screen{display:none}h2{break-after:avoid}figure,tr{break-inside:avoid}}
"""


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Attributes:
        id: Anchor, stable between versions: "verdict".
        title: Heading.
        body: HTML; every text in it has passed `escape`.
    """

    id: str
    title: str
    body: str


def page(title: str, sections, *, lead: str = "", style: str = "", script: str = "") -> str:
    """Return a whole page.

    Args:
        title: Of the page.
        sections: `Section` values, in order; the navigation lists them.
        lead: One sentence below the title.
        style: More CSS.
        script: JavaScript, run after everything is there.
    """
    links = "".join(f'<li><a href="#{s.id}">{escape(s.title)}</a></li>' for s in sections)
    parts = "".join(
        f'<section id="{s.id}"><h2>{escape(s.title)}</h2>{s.body}</section>' for s in sections
    )
    code = f"<script>{script}</script>" if script else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{MARK}'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(script)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body>"
        f'<header><h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p></header>'
        f"<nav><ul>{links}</ul></nav><main>{parts}</main>"
        "<footer>Made by gantools. This file needs no network.</footer>"
        f"{code}</body></html>"
    )


def policy(script: str = "") -> str:
    """Return the content-security policy: inline style, data pictures, this one script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"'sha256-{digest}'" if script else "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


def escape(text) -> str:
    """Return any value as text that HTML and attributes take literally."""
    return html.escape(readable(str(text)), quote=True)


def paragraphs(*texts: str, kind: str = "") -> str:
    """Return texts as paragraphs, of a CSS class where one is given."""
    opening = f'<p class="{kind}">' if kind else "<p>"
    return "".join(f"{opening}{escape(text)}</p>" for text in texts if text)


def table(head, rows, *, numbers=()) -> str:
    """Return a table.

    Args:
        head: Column titles.
        rows: Rows of texts or numbers; `Raw` cells are taken as HTML.
        numbers: Indices of columns that are set flush right.
    """

    def cell(tag, i, value):
        kind = ' class="number"' if i in numbers else ""
        return f"<{tag}{kind}>{value if isinstance(value, Raw) else escape(value)}</{tag}>"

    top = "".join(cell("th", i, name) for i, name in enumerate(head))
    body = "".join(
        f"<tr>{''.join(cell('td', i, value) for i, value in enumerate(row))}</tr>" for row in rows
    )
    whole = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{whole}</div>'


class Raw(str):
    """HTML that is meant as such."""


def is_ours(path: str | Path) -> bool:
    """Return whether a file is a page that was made here, which may be made again."""
    try:
        with Path(path).open("rb") as file:
            return MARK.encode() in file.read(200)
    except OSError:
        return False


def picture(pixels, alt: str, *, quality: int = 80, side: int | None = None) -> Raw:
    """Return a picture as an `<img>` with its data inside.

    Args:
        pixels: `(h, w, c)` uint8 with 1, 3 or 4 channels, RGB order.
        alt: What it shows, for those who cannot see it.
        quality: Of JPEG, 1 to 100; from 90 on its colours are not subsampled. PNG where there are 4
            channels or `quality` is None.
        side: Longest side in pixels: larger pictures are reduced to it.
    """
    pixels = np.ascontiguousarray(pixels)
    if side and max(pixels.shape[:2]) > side:
        scale = side / max(pixels.shape[:2])
        size = tuple(max(1, round(n * scale)) for n in pixels.shape[1::-1])
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    lossless = pixels.shape[2] == 4 or quality is None
    kind, options = ("png", []) if lossless else ("jpeg", [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not lossless and quality >= 90:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[pixels.shape[2]]  # OpenCV's
    _, data = cv2.imencode(f".{kind}", np.ascontiguousarray(pixels[..., order]), options)
    height, width = pixels.shape[:2]
    content = base64.b64encode(data.tobytes()).decode()
    return Raw(
        f'<img src="data:image/{kind};base64,{content}" alt="{escape(alt)}" '
        f'width="{width}" height="{height}" loading="lazy">'
    )
