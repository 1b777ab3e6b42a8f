"""What the package never does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "llmbench"
SOURCES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "telnetlib",
}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load",
    "yaml.full_load", "yaml.load_all", "tempfile.mktemp", "os.tempnam", "subprocess.getoutput",
    "subprocess.getstatusoutput", "pd.read_pickle", "pandas.read_pickle", "np.load", "numpy.load",
    "ssl._create_unverified_context",
}  # fmt: skip


def found_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (
                (node.lineno, a.name) for a in node.names if a.name.split(".")[0] in FORBIDDEN_MODULES
            )
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            yield node.lineno, str(node.module)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FORBIDDEN_CALLS:
                yield node.lineno, name
            for keyword in node.keywords:
                constant = isinstance(keyword.value, ast.Constant)
                said = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
                if keyword.arg in {"shell", "allow_pickle"} and not (constant and said is False):
                    yield node.lineno, f"{keyword.arg}={ast.unparse(keyword.value)}"
                if keyword.arg in {"verify", "ssl", "verify_ssl"} and constant and said is False:
                    yield node.lineno, f"{keyword.arg}=False"
            if name == "torch.load" and not any(k.arg == "weights_only" for k in node.keywords):
                yield node.lineno, "torch.load without weights_only"


def caught_by(handler: ast.ExceptHandler) -> set[str]:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind).rsplit(".", 1)[-1] if kind else "Exception" for kind in kinds}


def without_depth(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Documents that are refused where they cannot be read, but not where they are nested too deeply."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Try):
            continue
        names = {ast.unparse(call.func) for line in node.body for call in ast.walk(line)
                 if isinstance(call, ast.Call)}  # fmt: skip
        caught = {name for handler in node.handlers for name in caught_by(handler)}
        broken = caught & {"ValueError", "TOMLDecodeError"}
        reads = names & {"json.loads", "json.load", "tomllib.loads", "tomllib.load"}
        if reads and broken and not caught & {"RecursionError", "RuntimeError", "Exception"}:
            yield node.lineno, "RecursionError is not caught"


def test_what_is_nested_without_end_is_refused_like_what_is_broken() -> None:
    found = [
        f"{path.relative_to(PACKAGE).as_posix()}:{line}: {what}"
        for path in SOURCES
        for line, what in without_depth(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []
    shallow = "try:\n    json.loads(x)\nexcept ValueError:\n    pass"
    assert list(without_depth(ast.parse(shallow)))
    assert not list(without_depth(ast.parse(shallow.replace("ValueError", "(ValueError, RecursionError)"))))


def test_no_source_of_code_but_its_own() -> None:
    found = [
        f"{path.relative_to(PACKAGE).as_posix()}:{line}: {what}"
        for path in SOURCES
        for line, what in found_in(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(SOURCES) > 400
    assert found == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import pickle", "pickle"),
        ("from shelve import open", "shelve"),
        ("eval('1')", "eval"),
        ("subprocess.run('ls', shell=True)", "shell=True"),
        ("subprocess.run('ls', shell=flag)", "shell=flag"),
        ("yaml.load(x)", "yaml.load"),
        ("np.load(x, allow_pickle=True)", "np.load"),
        ("torch.load(x)", "torch.load without weights_only"),
    ],
)
def test_the_search_finds(code: str, found: str) -> None:
    assert found in [name for _, name in found_in(ast.parse(code))]
    assert not list(found_in(ast.parse("re.compile('x'); ast.literal_eval('1'); run(x, shell=False)")))
