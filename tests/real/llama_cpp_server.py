"""llama.cpp's own server, as xllamacpp ships it: python llama_cpp_server.py MODEL.gguf PORT"""

from __future__ import annotations

import os
import signal
import sys
import threading

import xllamacpp

SLOTS = 4
CONTEXT = 2048


def main() -> None:
    model, port = sys.argv[1:]
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"smollm2-135m"}
    params.n_parallel = SLOTS
    params.n_ctx = CONTEXT * SLOTS
    # On cores that others use too, a second thread makes it slower (measured).
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.hostnames, params.port = ["127.0.0.1"], int(port)
    params.fit_params = False
    params.cache_ram_mib = 0
    params.endpoint_slots = True  # tells whether it still works on a request that was given up
    server = xllamacpp.Server(params)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    print(f"listening at {server.listening_address}", flush=True)
    parent = os.getppid()
    while not stopped.wait(0.5) and os.getppid() == parent:
        pass  # nobody is left to stop it where the tests were killed


if __name__ == "__main__":
    main()
