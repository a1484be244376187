import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from gantools.report import page
from gantools.report.page import Raw, Section, escape, paragraphs, picture, policy, table

HOSTILE = "<script>alert('x')</script>&\"\n"
VOID = {"meta", "img", "input", "br", "i"}


class Checker(HTMLParser):
    """Collects tags and addresses; fails on a tag that closes another."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.tags = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [v for k, v in attributes if k in ("src", "href", "action", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def checked(text):
    parser = Checker()
    parser.feed(text)
    assert not parser.open
    return parser


def test_a_page_is_whole_and_asks_for_nothing():
    shown = picture(np.zeros((8, 8, 3), np.uint8), "black")
    text = page.page("T", [Section("a", "First", paragraphs("x") + shown)], script="let a = 1;")
    parser = checked(text)
    assert text.startswith("<!doctype html>")
    assert all(address.startswith(("#", "data:")) for address in parser.addresses)
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)


def test_every_text_is_escaped():
    text = page.page(
        HOSTILE, [Section("a", HOSTILE, paragraphs(HOSTILE) + table([HOSTILE], [[HOSTILE]]))],
        lead=HOSTILE,
    )  # fmt: skip
    assert "<script" not in text
    assert checked(text).tags.count("script") == 0
    assert escape("a\"b'<&") == "a&quot;b&#x27;&lt;&amp;"
    assert table(["h"], [[Raw("<b>1</b>")]]).count("<b>1</b>") == 1


def test_only_the_own_script_may_run():
    assert "script-src 'none'" in policy()
    digest = re.search(r"script-src 'sha256-([^']+)'", policy("let a = 1;"))[1]
    assert len(base64.b64decode(digest)) == 32
    assert digest not in policy("let a = 2;")


def test_tables_set_numbers_to_the_right():
    text = table(("name", "value"), [("a", 1), ("b", 2)], numbers=(1,))
    assert text.count('<td class="number">') == 2
    assert text.count('<th class="number">') == 1
    assert "<td>a</td>" in text


@pytest.mark.parametrize(("channels", "kind"), [(1, "jpeg"), (3, "jpeg"), (4, "png")])
def test_pictures_keep_colours_and_are_reduced(channels, kind):
    pixels = np.zeros((40, 80, channels), np.uint8)
    pixels[..., 0] = 200
    pixels[..., -1] = 255 if channels == 4 else pixels[..., -1]
    text = picture(pixels, HOSTILE, side=20, quality=95)
    assert f"data:image/{kind};base64," in text
    assert 'width="20" height="10"' in text
    assert "<script" not in text
    content = base64.b64decode(re.search(r"base64,([^\"]+)", text)[1])
    flag = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    back = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    if channels > 1:
        assert np.abs(back[..., ::-1].mean((0, 1)) - [200, 0, 0]).max() < 4
    else:
        assert abs(back.mean() - 200) < 2
