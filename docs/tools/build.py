"""The site of the documents: `make docs` writes site/, and a link that leads nowhere fails.

    python docs/tools/build.py

Pages are staged in build/docs first: README, CHANGELOG and CONTRIBUTING belong to the site too, links to
files of the repository lead to its address, and the reference is written from `__all__` of each package. A
page of docs/ that stands in no group below is added to the how-to's, so that a new page needs no entry.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAGE = ROOT / "build" / "docs"
SITE = ROOT / "site"
REPOSITORY = "https://github.com/llmbench/llmbench/blob/main/"

GROUPS: dict[str, list[str]] = {
    "Start": ["tutorial"],
    "How-to": ["matrix", "ab_test", "break_even", "fine_tune", "routing", "memo"],
    "Methods": ["methods"],
    "Facts": ["providers", "prices", "security"],
    "The house": ["architecture", "contributing", "changelog"],
}
"""Pages by their names in docs/; those that are not written yet are left out."""
OTHERS = "How-to"

PACKAGES = [
    "llmbench",
    "llmbench.stats",
    "llmbench.economics",
    "llmbench.matrix",
    "llmbench.abtest",
    "llmbench.finetune",
    "llmbench.loadtest",
    "llmbench.routing",
    "llmbench.ledger",
    "llmbench.providers",
    "llmbench.catalog",
    "llmbench.decision",
    "llmbench.reporting",
    "llmbench.desk",
    "llmbench.doctor",
    "llmbench.types",
    "llmbench.results",
    "llmbench.errors",
]
FROM_ELSEWHERE = {
    "index": ROOT / "README.md",
    "changelog": ROOT / "CHANGELOG.md",
    "contributing": ROOT / "CONTRIBUTING.md",
}


def pages() -> dict[str, Path]:
    """Where the text of each page of the site stands."""
    found = {path.stem: path for path in sorted((ROOT / "docs").glob("*.md"))}
    return found | {name: path for name, path in FROM_ELSEWHERE.items() if path.exists()}


def relinked(text: str, source: Path, site: dict[str, Path]) -> str:
    """`text` with its relative links as they are on the site."""
    name_of = {path.resolve(): name for name, path in site.items()}

    def link(match: re.Match[str]) -> str:
        target, hash_, anchor = match[2].partition("#")
        if not target:
            return match[0]
        path = (source.parent / target).resolve()
        if path in name_of:
            return f"{match[1]}({name_of[path]}.md{hash_}{anchor})"
        if path.is_relative_to(ROOT / "docs") and path.is_file() and path.parent == ROOT / "docs":
            return f"{match[1]}({path.name})"
        if not path.exists():
            sys.exit(f"{source.relative_to(ROOT)} links to {target}, which is not there.")
        return f"{match[1]}({REPOSITORY}{path.relative_to(ROOT).as_posix()}{hash_}{anchor})"

    # Code is left alone: a bracket there is no link.
    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    return "".join(
        part if part.startswith("```") else re.sub(r"(\])\((?!https?:|mailto:)([^)\s]+)\)", link, part)
        for part in parts
    )


def navigation(site: dict[str, Path]) -> str:
    """The toctrees under the start page."""
    placed = {name for names in GROUPS.values() for name in names} | {"index"}
    rest = [name for name in site if name not in placed]
    out = []
    for caption, names in GROUPS.items():
        here = [name for name in names if name in site] + (rest if caption == OTHERS else [])
        if caption == "The house":
            here.insert(1, "reference/index")
        lines = "\n".join(here)
        out.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n")
    return "\n" + "\n".join(out)


def reference(package: str, described: set[str]) -> str:
    """One page of the reference: what a package says of itself and each of its public names."""
    module = importlib.import_module(package)
    directives, elsewhere = [], []
    for name in sorted(module.__all__, key=str.casefold):
        thing = getattr(module, name)
        known = getattr(thing, "__qualname__", None) == name
        target = f"{thing.__module__ if known else package}.{name}"
        if target in described:
            elsewhere.append(f":py:obj:`{name} <{target}>`")
        elif isinstance(thing, type):
            directives.append(f".. autoclass:: {target}\n   :members:\n")
        elif known and callable(thing):
            directives.append(f".. autofunction:: {target}\n")
        elif not name.startswith("__"):
            directives.append(f".. py:data:: {target}\n")
        described.add(target)
    also = f"From packages below: {', '.join(elsewhere)}.\n\n" if elsewhere else ""
    head = f".. automodule:: {package}\n   :no-members:\n"
    return f"# {package}\n\n```{{eval-rst}}\n{head}\n{also}{chr(10).join(directives)}```\n"


def stage() -> None:
    """Write build/docs anew."""
    shutil.rmtree(STAGE, ignore_errors=True)
    (STAGE / "reference").mkdir(parents=True)
    site = pages()
    for name, source in site.items():
        text = relinked(source.read_text(encoding="utf-8"), source, site)
        (STAGE / f"{name}.md").write_text(
            text + (navigation(site) if name == "index" else ""), encoding="utf-8"
        )
    for path in (ROOT / "docs").iterdir():
        if path.suffix in {".svg", ".png"}:
            shutil.copy2(path, STAGE)
    listed = "\n".join(PACKAGES)
    (STAGE / "reference" / "index.md").write_text(
        "# Reference\n\nEvery public name, from its docstring. Examples are run by the tests.\n\n"
        f"```{{toctree}}\n\n{listed}\n```\n",
        encoding="utf-8",
    )
    described: set[str] = set()
    for package in reversed(PACKAGES):  # from the ground up: a name is described where it lives
        text = reference(package, described)
        (STAGE / "reference" / f"{package}.md").write_text(text, encoding="utf-8")


def main() -> None:
    stage()
    shutil.rmtree(SITE, ignore_errors=True)
    command = [
        sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(ROOT / "build" / "doctrees"),
        "-c", str(ROOT / "docs" / "tools"), "-b", "html", str(STAGE), str(SITE),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    sys.stdout.write(f"{SITE / 'index.html'}\n")


if __name__ == "__main__":
    main()
