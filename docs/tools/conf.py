"""Sphinx reads this; `make docs` (docs/tools/build.py) stages the pages and calls it."""

from __future__ import annotations

import re
from typing import Any

from llmbench import __version__

project = "llmbench"
release = __version__
copyright = "the llmbench contributors"  # noqa: A001 - Sphinx's name for it
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"llmbench {release}"
html_copy_source = False
html_show_sphinx = False
myst_heading_anchors = 4
default_role = "code"  # the docstrings write `name` as Markdown does
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False
python_maximum_signature_line_length = 90
highlight_language = "text"
suppress_warnings = ["misc.highlighting_failure"]


def as_rst(lines: list[str]) -> list[str]:
    """A docstring of ours, which is plain text with Markdown's lists and code, as reStructuredText."""
    out: list[str] = []
    quoted = in_args = False
    for line in lines:
        text = line.rstrip()
        if text == "Args:":
            in_args = True
            continue
        if in_args and text.startswith("    "):
            out.append(re.sub(r"^    (\S+): ", r":param \1: ", _plain(text)))
            continue
        in_args = in_args and not text
        indented, blank = text.startswith("    "), not text
        before = next((earlier for earlier in reversed(out) if earlier), "")
        begins = indented and not quoted and (not out or not out[-1]) and not _LIST.match(before)
        if begins and not before.startswith((" ", ">>>")):
            out += ["::", ""]
            quoted = True
        elif quoted and not indented and not blank:
            quoted = False
        in_code = quoted or text.lstrip().startswith((">>>", "..."))
        out.append(text if in_code else _plain(text))
    return out


def _plain(text: str) -> str:
    """Outside code a star or a bar is the sign itself, never markup."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part[:1] == "`" else re.sub(r"[*|]", r"\\\g<0>", part) for part in parts)


_LIST = re.compile(r"\s*([-*]|\d+\.)\s")


def _docstring(*given: Any) -> None:
    """Sphinx gives the lines last, to be changed in place."""
    given[-1][:] = as_rst(given[-1])


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("autodoc-process-docstring", _docstring)
