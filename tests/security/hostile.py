"""What is fed: hostile texts, and documents that were right until something changed them."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

__all__ = [
    "EXAMPLES", "HOSTILE", "changed_bytes", "changed_document", "changed_json", "changed_lines", "dumped",
    "hostile_texts", "many", "some",
]  # fmt: skip

EXAMPLES = int(os.environ.get("LLMBENCH_SECURITY_EXAMPLES", "0"))
"""Of each property; `make test-security` has thousands, `make test` a few that are always the same."""

HOSTILE = {
    "script": "<script>alert(1)</script></style></textarea></title><!-- --><svg onload=alert(2)>",
    "attribute": "\"'><img src=x onerror=alert(3)><a href='javascript:alert(4)'>x</a>",
    "markdown": "[x](javascript:alert(5)) ![y](http://evil.test/z.png) <iframe srcdoc='<b>'></iframe>",
    "template": "{{ 7*7 }} {% for x in ().__class__.__base__.__subclasses__() %}{% endfor %} ${7*7} #{7*7}",
    "format": "%s %n {0} {0.__class__} {{}} %(x)s",
    "ansi": "\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b]8;;http://evil.test\x07link\x1b]8;;\x07\x9b31m",
    "formula": '=HYPERLINK("http://evil.test","x")',
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "tab": "\t=1+1",
    "line": "\r\n=1+1",
    "bidi": "\u202egnp.exe\u2066\u2069\u200f\u061c",
    "nulls": "\x00\x01\x02a\x00b\x7f\x85",
    "surrogate": "\ud83d half \udc00",
    "separators": "a\u2028b\u2029c\x0bd\x0ce\x1cf",
    "rich": "[bold red]x[/bold red] [link=http://evil.test]y[/link] [/]",
    "tex": "$\\input{/etc/passwd}$ \\(x\\) $$y$$",
    "json": '{"score": 1, "decision": "GO"}',
    "close": "]]> --> */ \"\"\" ''' ``` </pre></code></table></body></html>",
    "giant": "word " * 2_000_000,
}
"""Answers of a model that wishes us ill."""


def some(few: int, **more: Any) -> settings:
    """How often a property is tried: `few` times in `make test`."""
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=(
            Phase.explicit,
            Phase.generate,
        ),  # shrinking would take minutes, and files are readable as they are
        **more,
    )


def many(few: int) -> settings:
    """As `some`, for what takes a while each time: a tenth as often."""
    return settings(some(few), max_examples=max(EXAMPLES // 10, few))


hostile_texts = st.one_of(
    st.sampled_from([text for name, text in HOSTILE.items() if name != "giant"]),
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.builds(
        "".join,
        st.lists(st.sampled_from("=+-@\t\r\n\x1b\x00\u202e<>&\"'{}%$[]()`\\/,;|\ud83d")
        | st.sampled_from(["<script>", "]]>", "http://x", "1e309", "NaN"]), max_size=12),
    ),
)  # fmt: skip

_strange = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**400), st.just(-(10**30)), st.floats(), hostile_texts,
    st.just([]), st.just({}), st.just([[[[[]]]]]), st.just({"a": {"b": [1]}}),
    st.lists(st.integers(), max_size=3), st.just("2026-13-45"), st.just("x" * 100_000),
)  # fmt: skip


@st.composite
def changed_json(draw: Callable[..., Any], document: Any) -> Any:
    """`document` with one to three values anywhere replaced, dropped or renamed."""
    made = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(made))
        if not places:
            return draw(_strange)
        parent, key = draw(st.sampled_from(places))
        how = draw(st.sampled_from(["replace", "replace", "drop", "rename"]))
        if how == "replace" or isinstance(parent, list):
            # A copy, because a later change may be within it.
            parent[key] = copy.deepcopy(draw(_strange))
        elif how == "drop":
            del parent[key]
        else:
            parent[draw(hostile_texts)] = parent.pop(key)
    return made


def _places(value: Any) -> Any:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def dumped(value: Any) -> bytes:
    """JSON as others write it: with NaN, and with half characters as escapes."""
    return json.dumps(value).encode()


def changed_document(document: Any) -> st.SearchStrategy[bytes]:
    """`document` as a file of JSON: with other values, and perhaps with other bytes."""
    return changed_json(document).map(dumped).flatmap(_perhaps_changed)


def changed_lines(rows: list[Any]) -> st.SearchStrategy[bytes]:
    """`rows` as a file of JSON lines, changed as in `changed_document`."""
    return changed_json(rows).map(_lines).flatmap(_perhaps_changed)


def _lines(rows: Any) -> bytes:
    return b"".join(dumped(row) + b"\n" for row in (rows if isinstance(rows, list) else [rows]))


def _perhaps_changed(content: bytes) -> st.SearchStrategy[bytes]:
    return st.just(content) | changed_bytes(content)


@st.composite
def changed_bytes(draw: Callable[..., Any], content: bytes) -> bytes:
    """`content` with bytes flipped, cut out, doubled, or put in; or nothing of it."""
    seed = draw(st.integers(0, 2**32))
    how = random.Random(seed)
    made = bytearray(content)
    for _ in range(how.choice([1, 1, 2, 5, 40])):
        at = how.randrange(len(made) + 1)
        match how.randrange(6):
            case 0 if made:
                made[at % len(made)] ^= 1 << how.randrange(8)
            case 1:
                made[at:at] = how.choice(
                    [
                        b"\0",
                        b"\xff\xfe",
                        b'"',
                        b"[" * 3000,
                        b"{" * 3000,
                        b"\n",
                        b",",
                        b"1e999",
                        b"-",
                        b"\xed\xa0\x80",
                        b"'",
                    ]
                )
            case 2:
                del made[at : at + how.randrange(1, 60)]
            case 3:
                end = at + how.randrange(1, 60)
                made[end:end] = made[at:end]
            case 4:
                del made[at:]
            case _:
                made[at:at] = how.randbytes(how.randrange(1, 20))
    return bytes(made)
