from __future__ import annotations

import llmbench.errors as errors


def test_the_drawn_tree_is_the_real_one() -> None:
    """The picture in the docstring names every class under its own parent."""
    assert errors.__doc__
    stack: list[tuple[int, str]] = []
    drawn = {}
    for line in errors.__doc__.splitlines():
        name = line.replace("│", " ").replace("├──", "   ").replace("└──", "   ").split("  ")
        words = [w.strip().split()[0] for w in name if w.strip()]
        if not words or not words[0].endswith("Error"):
            continue
        depth = line.index(words[0])
        while stack and stack[-1][0] >= depth:
            stack.pop()
        drawn[words[0]] = stack[-1][1] if stack else "Exception"
        stack.append((depth, words[0]))
    real = {name: getattr(errors, name).__bases__[0].__name__ for name in errors.__all__}
    assert drawn == real
