"""Reading a web page: `web_fetch`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import Access, ToolEnvironment, ToolOutput
from victor.tools.web_address import Lookup, WebAddress
from victor.tools.web_download import MOST_BYTES, MOST_REDIRECTS, RedirectElsewhere, download
from victor.tools.web_reading import read_page

MOST_SECONDS = 45.0
READING_SECONDS = 15.0
"""How long it may take to make text of a page."""
_ACCEPT = "text/html, application/xhtml+xml, text/plain, application/json, text/*;q=0.9, */*;q=0.1"


@dataclass(frozen=True, slots=True)
class WebFetch:
    """Shows a page of the public internet as Markdown. It changes nothing, but it tells a host
    what is asked for, so the host must be allowed."""

    lookup: Lookup = field(default_factory=Lookup)

    bounds: ClassVar[tuple[str, ...]] = (
        f"{MOST_BYTES // 1_000_000} MB of a page, unpacked; {MOST_SECONDS:.0f} s",
        f"{READING_SECONDS:.0f} s to make text of it",
        f"{MOST_REDIRECTS} redirects, on the same host; of another host, only the address is told",
        "no cookies, no passwords, no scripts; what a page hides from people is left out",
    )
    refuses: ClassVar[tuple[str, ...]] = (
        "private, local and metadata addresses in every spelling, also behind a name or a redirect",
        "addresses with a user in them, and what is neither http nor https",
        "content that is no text, such as pictures and archives",
    )
    spec: ClassVar[ToolSpec] = ToolSpec(
        "web_fetch",
        "Read a page of the public web as Markdown; plain text and JSON as they are. Gives nothing"
        " of private networks.",
        {
            "type": "object",
            "properties": {"url": {"type": "string", "description": "Its address, with https://"}},
            "required": ["url"],
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
    )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: no file is changed."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the host. Raises `ToolError` where there is none to be told."""
        return Access(hosts=(WebAddress.of(arguments["url"]).host,))

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the page, or that it is elsewhere. Raises `ToolError`."""
        page = WebAddress.of(arguments["url"])
        reading = min(READING_SECONDS, environment.timeout * 0.3)
        seconds = min(MOST_SECONDS, environment.timeout * 0.9 - reading)
        found = await download(page, self.lookup, seconds, _ACCEPT)
        if isinstance(found, RedirectElsewhere):
            said = f"{page} redirects to another host: {found.address}"
            return ToolOutput(f"{said}\nFetch that address to read it.", source=_source(page))
        name = str(found.address)
        text = await read_page(found.data, found.content_type, name, reading)
        ending = "\n\n[The page goes on; it is too long to be fetched whole.]" if found.cut else ""
        body = text or "[There is no text in it.]"
        return ToolOutput(f"{body}{ending}", display=name, source=_source(found.address))


def _source(page: WebAddress) -> str:
    return f"the web page {page}"
