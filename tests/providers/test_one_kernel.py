"""Top-level await and plain functions in one Jupyter kernel, on one provider."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

CELLS = [
    """
from llmbench import CustomProvider, Dataset, Ledger, Matrix
ledger = Ledger("ledger.db")
provider = CustomProvider({"base_url": URL, "usd_per_hour": 1.0, "ledger": ledger, "endpoint": "stub"})
hello = [{"role": "user", "content": "hello"}]
first = await provider.chat_completion(hello, "m")
""",
    """
matrix = Matrix(Dataset.load("items.csv"), ["stub/m"], {"plain": "{{ prompt }}"},
                {"temperature": 0}, providers={"stub": provider}, ledger=ledger)
results = matrix.run()
""",
    """
import asyncio
second = await provider.chat_completion(hello, "m")
async def both():
    return await asyncio.gather(*(provider.chat_completion(hello, "m") for _ in range(5)))
several = await both()
again = matrix.run(fresh=True)
print(first.content, results.calls.made, second.content, len(several), again.calls.made)
""",
    """
await provider.aclose()
ledger.close()
print("closed")
""",
]


class _ThisPython(AsyncKernelManager):  # type: ignore[misc]
    """A kernel of the Python that runs the tests, whatever kernels the machine has installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="this", language="python")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_await_and_plain_functions_mix(stub: Any, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("id,prompt,expected\n1,hello,Grüße\n2,bye,welt\n", encoding="utf-8")
    cells = [nbformat.v4.new_code_cell(source) for source in (f"URL = {stub.url!r}", *CELLS)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(
        notebook,
        timeout=60,
        kernel_manager_class=_ThisPython,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    printed = [o["text"] for c in notebook.cells for o in c.outputs if o.output_type == "stream"]
    assert printed == ["Grüße, welt 2 Grüße, welt 5 2\n", "closed\n"]
