"""The exported page in a real browser: it fits every width, and asks for nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape, unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from victor.messages import ToolCall, ToolResult, assistant, user
from victor.protocols import Record, SessionInfo
from victor.transcript import as_html

pytestmark = pytest.mark.slow

WIDTHS = (320, 390, 768, 1280)

MEASURE = """
<script>
addEventListener('load', () => {
  const told = [...document.querySelectorAll('iframe')].map(frame => {
    const page = frame.contentDocument;
    const closed = page.documentElement.scrollWidth;
    page.querySelectorAll('details').forEach(one => one.open = true);
    const bubble = page.querySelector('.you');
    return {
      width: frame.clientWidth, closed, open: page.documentElement.scrollWidth,
      bubble: bubble ? bubble.getBoundingClientRect().right : 0,
      styled: getComputedStyle(page.querySelector('main')).paddingLeft !== '0px',
    };
  });
  document.title = JSON.stringify(told);
});
</script>
"""


@dataclass
class Site:
    """A page, and what a browser that shows it asks for, of whatever host."""

    port: int
    page: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(f"{self.headers['Host'].partition(':')[0]}{self.path}")
            body = made.page.encode() if self.path == "/page" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made = Site(server.server_port)
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def browsed(site: Site, profile: Path, *extra: str) -> str:
    """Return the document as the browser has it once all is loaded."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed: `apt install chromium`")
    quiet = ("gpu", "quic", "background-networking", "component-update", "sync", "extensions")
    command = [
        *(chromium, "--headless", "--no-sandbox", "--no-first-run", "--virtual-time-budget=5000"),
        *(f"--disable-{one}" for one in quiet),
        "--disable-features=NetworkTimeServiceQuerying",
        f"--host-resolver-rules=MAP * 127.0.0.1:{site.port}",
        *(f"--user-data-dir={profile}", "--window-size=1400,900", "--dump-dom", *extra),
        "http://page.invalid/page",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    return ended.stdout


def asked_for(site: Site) -> list[str]:
    """Return what was asked for beside the page, and the icon that every browser looks for."""
    return [
        one for one in site.asked if one not in {"page.invalid/page", "page.invalid/favicon.ico"}
    ]


def test_the_page_fits_every_width_and_asks_for_nothing(
    site: Site, tmp_path: Path, info: SessionInfo, records: tuple[Record, ...]
) -> None:
    call = ToolCall("w", "shell", {"command": "x" * 900})
    wide = (
        Record("user", "s-3", user("w" * 700)),
        Record(
            "reply", "s-3", assistant("|" + "column|" * 40 + "\n" + "|-" * 40 + "|", call), (call,)
        ),
        Record("result", "s-3", result=ToolResult("w", "y" * 3000)),
        Record("reply", "s-3", assistant("```\n" + "z" * 2000 + "\n```\n" + "`" + "q" * 500 + "`")),
    )
    page = escape(as_html(info, (*records, *wide)))
    frames = (f'<iframe width="{w}" height="600" srcdoc="{page}"></iframe>' for w in WIDTHS)
    site.page = f"<!doctype html><title></title>{''.join(frames)}{MEASURE}"
    title = re.search(r"<title>(.*?)</title>", browsed(site, tmp_path))
    assert title is not None
    told = json.loads(unescape(title[1]))
    assert [frame["width"] for frame in told] == list(WIDTHS)
    for frame in told:
        assert frame["styled"]
        assert frame["closed"] <= frame["width"]
        assert frame["open"] <= frame["width"]
        assert 0 < frame["bubble"] <= frame["width"]
    assert asked_for(site) == []


def test_what_a_page_asks_for_would_be_seen(site: Site, tmp_path: Path) -> None:
    site.page = '<!doctype html><img src="http://evil.invalid/a.png">'
    browsed(site, tmp_path)
    assert asked_for(site) == ["evil.invalid/a.png"]
