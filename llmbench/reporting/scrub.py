"""Take this machine out of a report: no absolute path, no name of a kernel's environment.

Times stay; they are part of what happened.
"""

from __future__ import annotations

import os
import re
import site
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbench.reporting.text import encodable, texts_of

__all__ = ["Scrubber", "absolute_paths"]

_KERNEL_TEMPORARY = re.compile(r"<tmp>[\\/]ipykernel_\d+[\\/]\d+\.py")
# Left as they are: no path can be read in one, and what looks like one is a piece of the image.
_EMBEDDED = re.compile(r"(data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+)")
# In a traceback: File "/a/b.py", line 3   and IPython's   File /a/b.py:3
_TRACEBACK_PATH = re.compile(
    r"(File (?:\x1b\[[0-9;]*m)*\"?)(?:[A-Za-z]:)?[\\/][^\s\":]*?([^\s\":\\/]+\.pyx?)"
)


class Scrubber:
    """Replaces the absolute paths of this machine in text, JSON values and notebooks.

    The project's root becomes ".", the home folder "~", folders of Python and of temporary files a
    word in angle brackets, and each of `names` (paths that the caller gave) its last part.

    >>> Scrubber(Path("/home/ada/project"), home=Path("/home/ada")).text("see /home/ada/project/data/a.csv")
    'see ./data/a.csv'
    """

    def __init__(self, root: Path, *, home: Path | None = None, names: tuple[str, ...] = ()) -> None:
        words: dict[str, str] = {}
        for path in (sys.base_prefix, sys.base_exec_prefix):
            words.update(_spellings(Path(path), "<python>"))
        for path in (sys.prefix, *site.getsitepackages()):
            words.update(_spellings(Path(path), "<packages>" if "packages" in Path(path).name else "<venv>"))
        for path in (tempfile.gettempdir(), os.environ.get("TMPDIR", "")):
            words.update(_spellings(Path(path), "<tmp>") if path else {})
        # A checkout that is not installed is found outside of the project it works on.
        words.update(_spellings(Path(__file__).resolve().parents[2], "<packages>"))
        words.update(_spellings(home or Path.home(), "~"))
        words.update(_spellings(root, "."))
        for name in names:
            words[name] = Path(name).name
        # The longest first: the project is often inside the home folder.
        self._words = {path: words[path] for path in sorted(words, key=len, reverse=True)}
        alternatives = "|".join(re.escape(path) for path in self._words)
        self._pattern = re.compile(rf"(?<![\w.])(?:file://)?({alternatives})(?![\w-])")

    def text(self, text: str) -> str:
        """`text` without this machine's paths, fit for UTF-8."""
        parts = _EMBEDDED.split(encodable(text))
        parts[::2] = [self._plain(part) for part in parts[::2]]
        return "".join(parts)

    def _plain(self, text: str) -> str:
        # An answer may have ten million characters: to look for each path is a hundred times faster.
        if not any(path in text for path in self._words):
            return text
        replaced = self._pattern.sub(lambda match: self._words[match[1]], text)
        return _KERNEL_TEMPORARY.sub("<cell>", replaced)

    def value(self, value: Any) -> Any:
        """A JSON value with every string in it scrubbed."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def notebook(self, notebook: Any) -> Any:
        """An executed notebook (nbformat 4, changed in place): sources, outputs and metadata."""
        papermill = notebook.metadata.get("papermill", {})
        for key in ("input_path", "output_path"):
            if papermill.get(key):
                papermill[key] = Path(str(papermill[key])).name
        papermill.pop("environment_variables", None)
        notebook.metadata.pop("kernelspec", None)
        notebook.metadata["kernelspec"] = {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        }
        notebook.metadata["papermill"] = self.value(papermill)
        for cell in notebook.cells:
            cell.source = self.text(cell.source)
            for output in cell.get("outputs", []):
                self._output(output)
        return notebook

    def _output(self, output: Any) -> None:
        if output.output_type == "error":
            output.evalue = self.text(output.evalue)
            output.traceback = [_TRACEBACK_PATH.sub(r"\1\2", self.text(line)) for line in output.traceback]
        elif output.output_type == "stream":
            output.text = _TRACEBACK_PATH.sub(r"\1\2", self.text(output.text))
        else:
            for kind, value in output.data.items():
                if not kind.startswith("image/") or kind == "image/svg+xml":
                    output.data[kind] = self.value(value)


def absolute_paths(value: Any) -> tuple[str, ...]:
    """The absolute paths among the texts of a JSON value, such as somebody gave as parameters.

    >>> absolute_paths({"sends": "data/sends.csv", "also": []})
    ()
    """
    return tuple(text for text in texts_of(value) if Path(text).is_absolute() and len(text) > 1)


def _spellings(path: Path, word: str) -> dict[str, str]:
    """`path`, as given, resolved, and with the other kind of separators; nothing for a bare root."""
    found = {str(path), str(path.absolute()), os.path.realpath(path)}
    found |= {spelling.replace("\\", "/") for spelling in found} | {
        spelling.replace("\\", "\\\\") for spelling in found
    }
    return {
        spelling: word for spelling in found if Path(spelling).is_absolute() and len(Path(spelling).parts) > 1
    }
