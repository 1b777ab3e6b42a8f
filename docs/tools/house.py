"""The picture of the house: docs/house.svg and the map in docs/architecture.md, from the code's own imports.

    python docs/tools/house.py --write

The floors come from the layers contract in pyproject.toml, the sentences from the docstrings of the packages,
the dots from the import statements. tests/test_architecture.py says when they no longer equal the code.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "llmbench"
PICTURE = ROOT / "docs" / "house.svg"
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- made by docs/tools/house.py -->", "<!-- end -->"
GROUND = "ground"
_TOP, _ROW, _LEFT, _COLUMN = 118, 44, 560, 28  # pixels: header, a row, the boxes, a column

Imports = dict[str, set[str]]


def floors() -> list[list[str]]:
    """The layers of the contract, top floor first; what shares a floor does not import one another."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in layers]


def members() -> list[str]:
    """What stands in llmbench/: packages and modules, `__init__` apart."""
    return sorted(
        path.stem
        for path in PACKAGE.iterdir()
        if path.name != "__init__.py" and (path.suffix == ".py" or (path / "__init__.py").exists())
    )


def is_package(name: str) -> bool:
    return (PACKAGE / name).is_dir()


def files_of(name: str) -> list[Path]:
    return sorted((PACKAGE / name).rglob("*.py")) if is_package(name) else [PACKAGE / f"{name}.py"]


def imported_by(path: Path) -> Iterator[tuple[str, int]]:
    """Members of llmbench that a file imports, with the line; in annotations too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for parts in (name.split(".") for name in names):
            if parts[0] == "llmbench" and len(parts) > 1 and parts[1] in members():
                yield parts[1], node.lineno


def imports() -> Imports:
    """Which members each member imports."""
    return {
        name: {other for path in files_of(name) for other, _ in imported_by(path)} - {name}
        for name in members()
    }


def sentence(name: str) -> str:
    """The first sentence of the docstring of a package or module."""
    path = files_of(name)[0] if not is_package(name) else PACKAGE / name / "__init__.py"
    text = " ".join(
        (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0].split()
    )
    first, dot, _ = text.partition(". ")
    return first + dot.strip()


def rows() -> list[str]:
    """The packages from the top down; the modules below them are the ground."""
    return [name for layer in floors() for name in layer if is_package(name)]


def of_ground(found: Imports, name: str) -> set[str]:
    return {other if is_package(other) else GROUND for other in found[name]}


def picture() -> str:
    """The SVG: a floor a row, and a dot under each package that it imports."""
    found, names = imports(), rows()
    columns = [*names, GROUND]
    width, height = _LEFT + _COLUMN * len(columns) + 30, _TOP + _ROW * len(columns) + 46
    together = {name for layer in floors() if len(layer) > 1 for name in layer}
    uses = {name: of_ground(found, name) for name in names}
    told = " ".join(f"{name}: {', '.join(sorted(uses[name]))}." for name in names)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"',
        ' aria-labelledby="house-title house-text" font-family="system-ui, sans-serif" font-size="14">',
        '<title id="house-title">The house: the packages of llmbench from the top floor down</title>',
        '<desc id="house-text">One row for each package. A dot stands where the package of the row imports',
        " that of the column. All dots lie right of the diagonal, so every import leads downward.",
        f" {escape(told)}</desc>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(20, 34, "Imports lead downward", 20, bold=True),
        _text(20, 58, "A dot: the package of this row imports that of the column."),
        _text(
            20, height - 18, "Yellow: one floor, none imports another. Ground: modules that all may use.", 12
        ),
    ]
    for index, name in enumerate(columns):
        x, y = _LEFT + _COLUMN * index + _COLUMN // 2, _TOP + _ROW * index
        fill = "#e5e7eb" if name == GROUND else "#fef3c7" if name in together else "#dbeafe"
        out += [
            f'<g transform="translate({x + 4} {_TOP - 10}) rotate(-50)">{_text(0, 0, name, 13)}</g>',
            _box(14, y, _LEFT - 24, _ROW - 6, fill),
            _text(26, y + 24, name if name == GROUND else f"{name}/", bold=True),
            _text(124, y + 24, _short(name), 12),
            _box(x - 12, y + 3, 24, _ROW - 12, fill),
        ]
        out += [
            f'<circle cx="{_LEFT + _COLUMN * at + _COLUMN // 2}" cy="{y + 19}" r="6" fill="#1d4ed8"/>'
            for at, other in enumerate(columns)
            if other in uses.get(name, ())
        ]
    return "\n".join([*out, "</svg>"]) + "\n"


def _text(x: int, y: int, words: str, size: int = 14, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x}" y="{y}" font-size="{size}"{weight} fill="#111827">{escape(words)}</text>'


def _box(x: int, y: int, width: int, height: int, fill: str) -> str:
    size = f'x="{x}" y="{y}" width="{width}" height="{height}"'
    return f'<rect {size} rx="4" fill="{fill}" stroke="#6b7280"/>'


def _short(name: str) -> str:
    if name == GROUND:
        text = ", ".join(member for layer in floors() for member in layer[::-1] if not is_package(member))
        text = text.removeprefix("__main__, ")
    else:
        text = sentence(name).replace("`", "")
    return text if len(text) <= 64 else text[:62].rsplit(" ", 1)[0].rstrip(",:;") + " ..."


def table() -> str:
    """The map in words: what each folder and module is, and what it imports."""
    found = imports()
    lines = ["| where | what lives there | packages it imports |", "|---|---|---|"]
    for layer in floors():
        for name in layer:
            where = f"`llmbench/{name}/`" if is_package(name) else f"`llmbench/{name}.py`"
            uses = ", ".join(sorted(other for other in found[name] if is_package(other)))
            lines.append(f"| {where} | {sentence(name)} | {uses} |")
    return "\n".join(lines)


def page_with_table(text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main() -> None:
    if "--write" not in sys.argv[1:]:
        sys.exit("usage: python docs/tools/house.py --write")
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
