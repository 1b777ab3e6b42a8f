from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import llmbench

ROOT = Path(llmbench.__file__).parent
MODULES = sorted(
    name
    for _, name, _ in pkgutil.walk_packages([str(ROOT)], "llmbench.")
    if name not in {"llmbench.__main__", "llmbench.cli"} and not name.endswith(".__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_all_names_exist(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert len(set(exported)) == len(exported)
    for member in exported:
        assert hasattr(module, member), f"{name}.__all__ names {member}"


def test_no_module_hides_the_name_it_gives() -> None:
    """Once it is loaded, `from package import name` takes the module `name` before the function in it."""
    modules = [importlib.import_module(name) for name in MODULES]
    hidden = [
        f"{module.__name__}.{member}"
        for module in modules
        for member in getattr(module, "__all__", [])
        if isinstance(getattr(module, member), ModuleType)
    ]
    assert hidden == []


def test_the_documents_names_are_at_the_top() -> None:
    for name in (
        "OpenAIProvider", "CustomProvider", "LocalProvider", "FakeProvider", "BaseLLMProvider", "LLMResponse",
        "Usage", "ModelInfo", "ModelCapability", "Ledger", "Matrix",
    ):  # fmt: skip
        assert hasattr(llmbench, name)
    assert set(llmbench.__all__) == {*llmbench._MODULE_OF, "__version__"}
