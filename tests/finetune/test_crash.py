"""kill -9 at the worst moments: nothing is paid twice, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from llmbench import OpenAIProvider, finetune
from llmbench.background import run
from llmbench.ledger import Ledger
from llmbench.providers import FakeClock
from tests.providers.cases import KEY
from tests.providers.tuning_stubs import JOB, Jobs, openai_routes, tuning_vendor

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from llmbench import OpenAIProvider, finetune
provider = OpenAIProvider({"base_url": sys.argv[1] + "/v1", "api_key": sys.argv[2]})
finetune.start(provider, "training.jsonl", "gpt-4o-mini", budget_usd=1, ledger="jobs.db")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("moment", ["while the file is sent", "after the job was started"])
def test_a_process_that_is_killed(project: Path, training: Path, moment: str) -> None:
    stub = Jobs(["queued"])
    children: list[subprocess.Popen[bytes]] = []
    ready = threading.Event()

    def kill() -> None:
        stub.tampering = stub.after_start = None
        ready.wait(20)
        os.kill(children[0].pid, signal.SIGKILL)
        children[0].wait(20)

    if moment == "after the job was started":
        stub.after_start = kill
    else:
        stub.tampering = kill
    with tuning_vendor(openai_routes, stub):
        children.append(
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT, stub.url, KEY],
                cwd=project,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        )
        ready.set()
        assert children[0].wait(60) == -signal.SIGKILL
        with Ledger(project / "jobs.db") as ledger:
            (row,) = ledger.tuning_jobs()
            assert row.job_id is None
            assert (row.asked_at is not None) == bool(stub.created)
            provider = OpenAIProvider({"base_url": f"{stub.url}/v1", "api_key": KEY, "clock": FakeClock()})
            job = finetune.start(provider, training, "gpt-4o-mini", budget_usd=1, ledger=ledger)
            assert job.id == JOB
            assert len(stub.created) == 1
            found = "was cut off; openai has its job as ftjob-1" if row.asked_at else "before a job was asked"
            assert found in job.note
            assert [each.id for each in finetune.jobs(ledger)] == [JOB]
            run(provider.aclose())
