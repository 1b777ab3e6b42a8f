"""A training file in parts, so that nothing that is tested on was nearly trained on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError, UsageError
from llmbench.finetune.grouping import Groups
from llmbench.finetune.near_duplicates import check_near
from llmbench.finetune.reading import open_training, rows
from llmbench.finetune.writing import json_line, refuse_same, replacing_all
from llmbench.plain_table import PlainTable, count_text
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Split", "split"]

_PARTS = ("train", "validation", "test")


@shown
@dataclass(frozen=True, slots=True)
class Split:
    """The parts of a file."""

    source: Path
    sha256: str
    """Of the file that was split."""
    seed: int
    fractions: tuple[float, ...]
    paths: Mapping[str, Path]
    """By part; a part of fraction 0 has no file."""
    examples: Mapping[str, int]
    groups: Mapping[str, int]
    """Conversations or prompts that are whole in the part, those that are nearly the same taken as one."""
    joined: int
    """Pairs of examples that are nearly the same and are in one part for that."""
    left_apart: int
    """Examples of groups of near ones that were too large to be kept together: see `notes`."""
    notes: tuple[str, ...]

    def to_pandas(self) -> pd.DataFrame:
        """One row per part."""
        import pandas as pd

        kept = [name for name in _PARTS if name in self.paths]
        return pd.DataFrame(
            {
                "part": kept,
                "fraction": [self.fractions[_PARTS.index(name)] for name in kept],
                "examples": [self.examples[name] for name in kept],
                "groups": [self.groups[name] for name in kept],
            }
        )

    def __str__(self) -> str:
        parts = ", ".join(
            f"{name} {self.examples[name]:,} ({self.groups[name]:,} groups)" for name in self.paths
        )
        return "\n".join([f"{self.source.name}, seed {self.seed}: {parts}", *self.notes])

    def _repr_html_(self) -> str:
        table = PlainTable(
            ("part", "share wanted", "examples", "groups", "file"),
            [
                (
                    name, f"{self.fractions[_PARTS.index(name)]:.1%}", count_text(self.examples[name]),
                    count_text(self.groups[name]), path.name,
                )
                for name, path in self.paths.items()
            ],
        )  # fmt: skip
        return table.html() + "".join(f"<p>{note}</p>" for note in self.notes)


def split(
    path: str | Path,
    out_dir: str | Path,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    *,
    seed: int = 20250123,
    conversation: str | None = None,
    near: float | None = 0.8,
) -> Split:
    """Write `train.jsonl`, `validation.jsonl` and `test.jsonl` into `out_dir`, with `split.json` beside them.

    Lines of one conversation stay together: those of the same `conversation_id` (or the key that
    `conversation` names), in the row or its `metadata`; else those whose first user says the same, but for
    case, blanks and signs. Groups with examples that are alike by `near` or more are taken as one (None:
    they are not looked for). Which part a group is in follows from its own words and `seed` alone: not from
    the order of the lines, nor from what else is in the file, unless a new line joins two groups. So the
    parts have about the fractions that were asked for, not exactly.

    The files appear together, whole or not at all. Raises DatasetError for a file with bad lines, or too
    small to fill all parts, and UsageError for fractions that are not shares of one.

    >>> import json, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "all.jsonl"
    ...     rows = [{"prompt": f"What is {n} squared?", "completion": str(n * n)} for n in range(99)]
    ...     _ = file.write_text(chr(10).join(map(json.dumps, rows)), encoding="utf-8")
    ...     parts = split(file, folder)
    >>> sum(parts.examples.values()), list(parts.paths)
    (99, ['train', 'validation', 'test'])
    """
    shares = _checked(fractions)
    check_near(near)
    source, folder = Path(path), Path(out_dir)
    paths = {name: folder / f"{name}.jsonl" for name, share in zip(_PARTS, shares, strict=True) if share > 0}
    refuse_same(source, *paths.values())
    groups = Groups(source, conversation, near)
    digest, known = groups.read()
    assigned = [_part(groups.key(number), seed, shares) for number in range(known)]
    counts = Counter(_PARTS[part] for part in assigned)
    whole: dict[str, set[int]] = {name: set() for name in paths}
    for number, part in enumerate(assigned):
        whole[_PARTS[part]].add(groups.key(number))
    empty = [name for name in paths if not counts[name]]
    if empty:
        raise DatasetError(
            f"{source.name} has {known} examples in {sum(map(len, whole.values()))} groups, too few for the "
            f"part {empty[0]}, which would be empty; give larger fractions, another seed or more examples."
        )
    found = Split(
        source, digest, seed, shares, paths, {name: counts[name] for name in paths},
        {name: len(keys) for name, keys in whole.items()}, groups.joined, groups.left_apart, groups.notes(),
    )  # fmt: skip
    _write(found, assigned, folder)
    return found


def _checked(fractions: Sequence[float]) -> tuple[float, ...]:
    shares = tuple(float(share) for share in fractions)
    if len(shares) == len(_PARTS) - 1:
        shares = (shares[0], 0.0, shares[1])
    good = len(shares) == len(_PARTS) and all(0 <= share <= 1 for share in shares)
    if not good or not math.isclose(sum(shares), 1, abs_tol=1e-9) or shares[0] <= 0:
        raise UsageError(
            "fractions are shares of one for train, validation and test (or train and test), such as "
            f"(0.8, 0.1, 0.1); they are {tuple(fractions)!r}."
        )
    return shares


def _part(key: int, seed: int, shares: Sequence[float]) -> int:
    drawn = int.from_bytes(blake2b(f"{seed}:{key}".encode(), digest_size=8).digest(), "big") / 2**64
    for part, share in enumerate(shares):
        drawn -= share
        if drawn < 0:
            return part
    return max(part for part, share in enumerate(shares) if share > 0)


def _write(found: Split, assigned: Sequence[int], folder: Path) -> None:
    told: dict[str, Any] = {
        "source": found.source.name, "sha256": found.sha256, "seed": found.seed, "fractions": found.fractions,
        "examples": dict(found.examples), "groups": dict(found.groups), "joined": found.joined,
        "left_apart": found.left_apart, "notes": found.notes,
    }  # fmt: skip
    digest, number = sha256(), 0
    with (
        replacing_all({**found.paths, "": folder / "split.json"}) as files,
        open_training(found.source) as content,
    ):
        for row in rows(content, digest.update):
            if number >= len(assigned):
                break
            files[_PARTS[assigned[number]]].write((row.line.content or b"").rstrip(b"\r\n") + b"\n")
            number += 1
        if digest.hexdigest() != found.sha256:
            raise DatasetError(f"{found.source} was changed while it was read; nothing was written.")
        files[""].write(json_line(told))
