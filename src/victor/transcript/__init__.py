"""Sessions as pages for people: Markdown, and HTML that stands by itself."""

from victor.transcript.html import as_html
from victor.transcript.markdown import as_markdown
from victor.transcript.scrubbed import without_secrets

__all__ = ["as_html", "as_markdown", "without_secrets"]
