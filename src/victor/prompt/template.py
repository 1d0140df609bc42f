"""Templates that take the place of the built-in identity: Jinja, in a sandbox.

A template knows the facts of the session and what the caller passed (see `PromptContext`), and the
built-in text as `identity`. A template that uses `mode` or `task` changes with them, and costs the
vendor's cache of the whole prompt each time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.errors import ConfigError, UnknownNameError
from victor.protocols import PromptContext

if TYPE_CHECKING:
    import jinja2

DEFAULT = "default"
SUFFIXES = (".j2", ".jinja", ".md", ".txt")
LARGEST = 256 * 1024
"""Bytes of a template at most."""

BUILTIN = {
    "minimal": (
        "You are Victor, a coding assistant in {{ workspace | default('the user\\'s project') }}."
        " Use the tools to look before you answer. Do what is asked and nothing else. Be brief."
    ),
}
"""Templates by name, beside `default`."""


_OF_EXPRESSIONS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the expressions in a template may raise."""


class Template:
    """A parsed template. Rendering the same facts again costs only their comparison."""

    def __init__(self, source: str, where: str) -> None:
        """Parse `source`; `where` names it in errors. Raises `ConfigError`."""
        import jinja2
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        self._where = where
        environment = ImmutableSandboxedEnvironment(
            undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=False
        )
        try:
            self._template: jinja2.Template = environment.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError(
                f"The template {where} is broken in line {error.lineno}: {error.message}"
            ) from error
        self._facts: dict[str, Any] | None = None
        self._text = ""

    def render(self, context: PromptContext) -> str:
        """Return the text for these facts. Raises `ConfigError`."""
        facts = dict(context)
        if facts == self._facts:
            return self._text
        import jinja2

        from victor.prompt.fixed import IDENTITY

        try:
            text = self._template.render({"identity": IDENTITY, **facts})
        except (jinja2.TemplateError, *_OF_EXPRESSIONS) as error:
            raise ConfigError(
                f"The template {self._where} cannot be rendered: {error}",
                hint=f"It knows: {', '.join(sorted({'identity', *facts}))}.",
            ) from error
        self._facts, self._text = facts, text
        return text


def find_template(name: str, folder: Path | None) -> Template | None:
    """Return the template called `name`; None for the default, which needs none.

    It is looked for in `folder`, with one of `SUFFIXES`, then among the built-in ones, then as the
    path of a file. Raises `UnknownNameError`, or `ConfigError` for one that is broken.
    """
    if not isinstance(name, str):
        raise ConfigError(f"system_prompt_template must be a name or a path, not {name!r}.")
    if name == DEFAULT:
        return None
    own = _in_folder(folder)
    if name in own:
        return _read(own[name])
    if name in BUILTIN:
        return Template(BUILTIN[name], repr(name))
    path = Path(name).expanduser()
    if path.is_file():
        return _read(path)
    raise UnknownNameError(
        "system prompt template",
        name,
        (DEFAULT, *BUILTIN, *own),
        hint="It may also be the path of a file"
        + (f", or be put into {folder}." if folder else "."),
    )


def _in_folder(folder: Path | None) -> dict[str, Path]:
    if folder is None or not folder.is_dir():
        return {}
    files = (path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES)
    return {path.stem: path for path in files if path.is_file()}


def _read(path: Path) -> Template:
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(f"The template {path} has more than {LARGEST // 1024} KB.")
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The template {path} cannot be read: {error}") from error
    return Template(source, str(path))
