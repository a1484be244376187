"""A real browser for the pages that the programs write."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from threading import Timer

import pytest

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
LONGEST = 120  # seconds


@pytest.fixture
def browse(tmp_path):
    """Return a function that opens a page in a real browser and runs a script in it.

    The script fills the object `found`, which is returned; it is let in by its own hash. It may
    wait. What the page asks the network for is in `found["asked"]`.
    """
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")

    def call(text, script, width=1000):
        code = (
            "(async () => { const found = {}; try {"
            + script
            + "} catch (e) { found.error = `${e}`; }"
            "found.asked ??= performance.getEntriesByType('resource').map((e) => e.name)"
            ".filter((name) => !name.startsWith('data:'));"
            "const bytes = new TextEncoder().encode(JSON.stringify(found));"
            "console.log('found:' + btoa(String.fromCharCode(...bytes))); })();"
        )
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert "script-src 'none'" in text or "script-src 'sha256" in text
        text = text.replace("script-src 'none'", "script-src ", 1)
        text = text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
        path = tmp_path / "page.html"
        path.write_text(text.replace("</body>", f"<script>{code}</script></body>"), "utf-8")
        return _told(path, tmp_path / "browser", width)

    return call


def _told(path, profile, width):
    """Return what a page says on its console after "found:"; it takes the time that it needs."""
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900",
        f"--user-data-dir={profile}", "--enable-logging=stderr", f"file://{path}",
    ]  # fmt: skip
    lines = []
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, errors="replace"
    ) as browser:
        late = Timer(LONGEST, browser.kill)
        late.start()
        try:
            for line in browser.stderr:
                lines.append(line)
                if told := re.search(r'"found:([^"]*)"', line):
                    return json.loads(base64.b64decode(told[1]))
        finally:
            late.cancel()
            browser.terminate()
    raise AssertionError("the page told nothing:\n" + "".join(lines)[-2000:])
