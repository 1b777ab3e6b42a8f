"""What stands for the training process where there is no torch: `-m tests.providers.training_stub FOLDER`.

It takes a step every few milliseconds, saves each in `checkpoint/step`, and ends after as many as the job's
`n_epochs` says.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from llmbench.providers.local_jobs import LocalJob, now
from llmbench.whole_file import write_whole


def main() -> None:
    job = LocalJob(Path(sys.argv[1]))
    steps = job.order()["recipe"]["n_epochs"]
    saved = job.checkpoint / "step"
    done = int(saved.read_text("ascii")) if saved.exists() else 0
    job.checkpoint.mkdir(exist_ok=True)
    job.keep_progress_up_to(done)
    if job.order()["suffix"] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.order()["suffix"] == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for step in range(done + 1, steps + 1):
        if job.cancel_asked() and job.order()["suffix"] != "deaf":
            job.write_state(status="cancelled", finished_at=now())
            return
        time.sleep(0.02)
        job.add_progress({"event": "step", "step": step, "loss": 1 / step})
        job.write_state(status="running", stage="training", step=step, steps=steps)
        write_whole(saved, str(step))  # a kill between the two halves of a write would leave no step at all
    job.write_state(
        status="succeeded", stage="succeeded", model=job.order()["name"], tokens=7, finished_at=now()
    )


if __name__ == "__main__":
    main()
