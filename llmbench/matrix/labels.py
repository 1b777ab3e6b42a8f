"""Labels by people: a blinded sample of answers to fill in, and what comes back.

Beside the sheet lies a key (JSON) that says which row is which answer, with what probability it was
drawn, and the grade it had. Raters see the sheet only: no model, no grade, rows in random order.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError, UsageError
from llmbench.matrix.checks import whole_number
from llmbench.matrix.label_statistics import Labels, known_kappa
from llmbench.matrix.readers import read_table
from llmbench.matrix.sheets import safe_rows, write_sheet
from llmbench.numbers import finite
from llmbench.whole_file import replacing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Labels", "check_questions", "export_labels", "import_labels", "key_path"]


_SHOWN = 20
_TEXTS = ("question", "expected", "answer")
_NEEDED = ("item_id", "cell", "repeat", "answer", "score")


def key_path(sheet: Path) -> Path:
    """Where the key of a sheet lies: labels.xlsx has labels.key.json."""
    return sheet.with_name(f"{sheet.stem}.key.json")


def export_labels(
    answers: pd.DataFrame,
    path: str | Path,
    *,
    n: int = 100,
    raters: int = 1,
    scale: tuple[int, int] = (0, 1),
    seed: int = 20250123,
    questions: Mapping[str, str] | None = None,
) -> int:
    """Write a random sample of `answers` (`MatrixResults.answers`) to an XLSX or CSV sheet, its key
    beside it, and return how many rows it has.

    Drawn without replacement, each answer that is not missing with the same probability. `questions`
    by item id; else the column `question` of `answers`, where it has one. `scale` is (worst, best) in
    whole numbers. Raises UsageError, and DatasetError for answers that lack a column; a sheet that is
    there already is never overwritten, for it may have been filled in.
    """
    import numpy as np
    import pandas as pd

    path = Path(path)
    whole_number("n", n)
    low, high = _checked(path, raters, scale)
    lacking = [name for name in _NEEDED if name not in answers.columns]
    if lacking:
        raise DatasetError(
            f"The table of answers has no column {', '.join(lacking)}; use a matrix's answers."
        )
    there = answers[answers["answer"].map(lambda value: isinstance(value, str))].reset_index(drop=True)
    if not len(there):
        raise UsageError("There is no answer to label; run the matrix first.")
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(there))[: min(n, len(there))]
    names = [f"r{secrets.token_hex(4)}" for _ in drawn]
    rows, key = [], []
    for name, place in zip(names, drawn, strict=True):
        row = there.iloc[int(place)]
        asked = (questions or {}).get(str(row["item_id"]), _text(row.get("question")))
        texts = {"question": asked, "expected": _text(row.get("expected")), "answer": str(row["answer"])}
        rows.append(
            {"row": name, **texts, **{f"rating_{i + 1}": None for i in range(raters)}, "comment": None}
        )
        key.append({"row": name, "place": int(place)})
    shown = safe_rows(rows)
    for entry, texts_shown in zip(key, shown, strict=True):
        entry["sha256"] = _fingerprint(texts_shown[name] for name in _TEXTS)
    columns = (there[name].tolist() for name in ("item_id", "cell", "repeat", "score"))
    population = [
        [str(item), str(cell), int(repeat), None if pd.isna(score) else float(score)]
        for item, cell, repeat, score in zip(*columns, strict=True)
    ]
    content = {
        "schema": 1, "seed": seed, "scale": [low, high], "raters": raters,
        "probability": len(drawn) / len(there), "rows": key, "population": population,
    }  # fmt: skip
    remark = f"rating: whole numbers from {low} (worst) to {high} (best)"
    # Both take their places at the end, the key first: without it the sheet is worth nothing.
    with replacing(path) as sheet, replacing(key_path(path)) as beside:
        write_sheet(shown, sheet, path.suffix, remark)
        beside.write(json.dumps(content).encode())
    return len(rows)


def check_questions(answers: pd.DataFrame, questions: Mapping[str, str] | None = None) -> None:
    """Raise UsageError where raters would see answers without a question, or no answer: nobody can grade
    those. `questions` by item id; else the column `question` of `answers`.
    """
    from llmbench.matrix.redaction import REDACTED

    def told(values: Iterable[Any]) -> bool:
        return any(isinstance(value, str) and value.strip() not in {"", REDACTED} for value in values)

    if "answer" in answers and not told(answers["answer"]):
        raise UsageError(
            "There is no answer to read: they are empty or were put out of sight (redact_columns); run the "
            "report without that, and keep its table for the raters only."
        )
    column = answers.get("question", ())
    items = answers["item_id"].astype(str) if "item_id" in answers else ()
    if not told((questions or {}).get(item) for item in items) and not told(column):
        raise UsageError(
            "The answers come without their questions, and raters need those: name the file of the items by "
            "--items (its ids must be those of the answers), or give a table with a column 'question'."
        )


def import_labels(path: str | Path, key: str | Path | None = None) -> Labels:
    """Read a filled-in sheet against its key (None: beside the sheet).

    Raises DatasetError with a sentence for each row that is missing, strange, twice, changed, or out of
    range. An empty rating is no label, and is counted.
    """
    import pandas as pd

    path = Path(path)
    known = _read_key(key_path(path) if key is None else Path(key))
    low, high = known["scale"]
    ratings = [f"rating_{i + 1}" for i in range(known["raters"])]
    found, problems = _rows(path, known, ratings)
    rows = []
    for entry in known["rows"]:
        given = found.get(entry["row"])
        if given is None:
            problems.append(f"{path.name} lacks the row {entry['row']}; put it back, empty if need be.")
            continue
        if _fingerprint(given.get(name) for name in _TEXTS) != entry["sha256"]:
            problems.append(f"{path.name}, row {entry['row']}: question or answer was changed.")
        values = []
        for name in ratings:
            value = _rating(given.get(name))
            if value is not None and not (value.is_integer() and low <= value <= high):
                problems.append(
                    f"{path.name}, row {entry['row']}: {name} is {given.get(name)!r:.40}, not a whole number "
                    f"from {low} to {high}."
                )
                value = None
            values.append(math.nan if value is None else value)
        item, cell, repeat, judge = known["population"][entry["place"]]
        filled = [value for value in values if not math.isnan(value)]
        label = (sum(filled) / len(filled) - low) / (high - low) if filled else math.nan
        rows.append(
            (item, cell, repeat, math.nan if judge is None else judge, label, *values, known["probability"])
        )
    if problems:
        more = f" And {len(problems) - _SHOWN} more." if len(problems) > _SHOWN else ""
        raise DatasetError(" ".join(problems[:_SHOWN]) + more)
    columns = ["item_id", "cell", "repeat", "judge", "label", *ratings, "probability"]
    table = pd.DataFrame(rows, columns=columns)
    sampled = {entry["place"] for entry in known["rows"]}
    judged = pd.DataFrame(known["population"], columns=["item_id", "cell", "repeat", "judge"])
    judged = judged.assign(judge=judged["judge"].astype(float), sampled=[i in sampled for i in judged.index])
    blank = int(table["label"].isna().sum())
    return Labels(table, judged, known["raters"], blank, _kappa(table, ratings), (int(low), int(high)))


def _kappa(table: pd.DataFrame, ratings: Sequence[str]) -> float | None:
    if len(ratings) < 2:
        return None
    both = table.dropna(subset=list(ratings))
    return known_kappa(both["rating_1"], both["rating_2"])


def _rows(
    path: Path, known: Mapping[str, Any], ratings: Sequence[str]
) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    try:
        table = read_table(path, path.read_bytes())
    except OSError as error:
        raise DatasetError(
            f"{path.name} cannot be read ({error.strerror}); give the filled-in sheet."
        ) from error
    lacking = [name for name in ("row", *_TEXTS, *ratings) if name not in table.columns]
    if lacking:
        raise DatasetError(f"{path.name} has no column {', '.join(lacking)}; export made it, so put it back.")
    names = {entry["row"] for entry in known["rows"]}
    found: dict[str, Mapping[str, Any]] = {}
    problems = []
    for row in table.rows:
        name = str(row.cells.get("row") or "")
        if not any(value is not None for value in row.cells.values()):
            continue
        if name not in names:
            problems.append(
                f"{path.name}:{row.line}: the row {name!r:.40} is not of this sheet; take it out."
            )
        elif name in found:
            problems.append(f"{path.name}:{row.line}: the row {name} is there twice; keep one.")
        else:
            found[name] = row.cells
    return found, problems


def _read_key(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(
            f"{path.name} cannot be read ({error.strerror}); export wrote it beside the sheet, and without "
            "it nobody can tell which answer a row is."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path.name} is not the key of a sheet ({error}).") from error
    if not _is_key(known):
        raise DatasetError(f"{path.name} is not the key of a sheet; give the one that export wrote.")
    return dict(known)


def _is_key(known: Any) -> bool:
    """Whether a JSON value has the form of what `export_labels` writes: its texts are ones that UTF-8 has."""
    try:
        low, high = known["scale"]
        places = [entry["place"] for entry in known["rows"]]
        count = len(known["population"])
        texts = [text for entry in known["rows"] for text in (entry["row"], entry["sha256"])]
        texts += [text for item, cell, *_ in known["population"] for text in (item, cell)]
        "".join(texts).encode()  # TypeError for what is no text, ValueError for half a character
        repeats = [repeat for _, _, repeat, _ in known["population"]]
        scores = [score for *_, score in known["population"] if score is not None]
        wholes = [low, high, known["raters"], known["schema"], *places, *repeats]
        return (
            all(type(each) is int for each in wholes)
            and all(finite(each) is not None for each in (*scores, known["probability"]))
            and known["schema"] == 1
            and known["raters"] in {1, 2}
            and low < high
            and 0 < known["probability"] <= 1
            and all(0 <= place < count for place in places)
            and len(set(places)) == len(places)
        )
    except (KeyError, TypeError, ValueError):
        return False


def _checked(path: Path, raters: int, scale: tuple[int, int]) -> tuple[int, int]:
    if raters not in {1, 2}:
        raise UsageError(f"raters is 1 or 2; it is {raters!r}.")
    low, high = scale
    if low >= high:
        raise UsageError(f"scale is (worst, best) in whole numbers, such as (0, 1); it is {scale!r}.")
    if path.suffix.lower() not in {".xlsx", ".csv"}:
        raise UsageError(f"{path.name} must end in .xlsx or .csv.")
    for there in (path, key_path(path)):
        if there.exists():
            raise UsageError(f"{there.name} is there already and may hold labels; name another file.")
    return low, high


def _rating(value: Any) -> float | None:
    """None for an empty cell; NaN, which is no whole number, for what is no number."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return math.nan


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _fingerprint(texts: Iterable[Any]) -> str:
    # Spreadsheets change line ends, blanks and the mark that keeps a text from being a formula.
    plain = ["" if text is None else re.sub(r"\s+", "", str(text)).lstrip("'") for text in texts]
    return hashlib.sha256("\0".join(plain).encode("utf-8", "surrogatepass")).hexdigest()
