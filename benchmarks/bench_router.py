"""What routing costs per call: ModelRouter beside the provider beneath it, and litellm.Router.

As bench_calls.py measures. Both of ours have the ledger and the prices on; the router keeps no texts
unless it is asked to, the provider does.
"""

from __future__ import annotations

import bench_calls
import findings
import peers

CALLS = {16: 600, 64: 600}
PROVIDER = "CustomProvider"
OURS = [PROVIDER, "ModelRouter", "ModelRouter, texts kept"]
THEIRS = ["litellm", "litellm.Router"]


def measure(rounds: int) -> findings.Part:
    machine = findings.machine()
    there, skipped = peers.ready("litellm")
    clients = OURS + (THEIRS if there else [])
    return findings.Part(
        "A call through the router",
        "Server and texts as in [a call](#a-call). The router is SMART by the document's table, without a "
        "hint, so that every rule is looked at; litellm.Router has two models and a fallback.",
        tuple(bench_calls.compare(clients, CALLS, PROVIDER, rounds)),
        {**bench_calls.versions(), **there}, skipped, machine,
    )  # fmt: skip
