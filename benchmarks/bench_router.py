"""What routing costs per call: ModelRouter beside the provider beneath it, and litellm.Router.

As bench_calls.py measures. Both of ours have the ledger and the prices on; the router keeps no texts
unless it is asked to, the provider does. The aim is at most 1.25 times the provider's CPU.
"""

from __future__ import annotations

import bench_calls

CALLS = {16: 600, 64: 600}
PROVIDER = "CustomProvider"
OURS = (PROVIDER, "ModelRouter", "ModelRouter, texts kept")
PEERS = ("litellm", "litellm.Router")


def main() -> None:
    clients = OURS
    if (bench_calls.PEERS / "litellm").exists():
        clients += PEERS
    else:
        print("litellm is not installed here; `make bench` installs it for its first table.\n")
    bench_calls.show(bench_calls.measure(clients, CALLS), PROVIDER)


if __name__ == "__main__":
    main()
