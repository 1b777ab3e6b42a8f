"""Make what a notebook left fit to be kept: scrubbed, rendered, free of secrets, with its manifest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from llmbench.config import load_config
from llmbench.errors import ReportError
from llmbench.reporting.envelope import to_json
from llmbench.reporting.folder import write_manifest
from llmbench.reporting.formats import write_formats
from llmbench.reporting.html import render_report
from llmbench.reporting.notebook_file import read_notebook, write_notebook
from llmbench.reporting.process import PRIVATE_FILES, Job
from llmbench.reporting.scrub import Scrubber, absolute_paths
from llmbench.reporting.secrets import known_secrets, refuse_secrets
from llmbench.reporting.text import encodable
from llmbench.result_files import read_envelope
from llmbench.results import ResultEnvelope
from llmbench.run_files import EXECUTED, PAGE, RESULT

__all__ = ["Finished", "finish_run", "scrubber_of"]


class Finished(NamedTuple):
    """A run that is fit to be kept."""

    envelope: ResultEnvelope
    warnings: tuple[str, ...]
    """A sentence about each format that could not be made."""


def finish_run(job: Job, formats: Sequence[str] = (), paper: str = "A4") -> Finished:
    """Make the staged run fit to be kept: scrubbed, rendered, free of secrets, with its manifest.

    `formats` are what the report is made as beside HTML (see `llmbench.reporting.formats`).

    Raises ReportError where the notebook left no result, or left a secret.
    """
    for private in PRIVATE_FILES:
        (job.staging / private).unlink(missing_ok=True)
    scrubber = scrubber_of(job)
    result = job.staging / RESULT
    if not result.is_file():
        raise ReportError(
            f"{job.name} ran to its end without a result; its last cell must call report.finish(...)."
        )
    document = scrubber.value(json.loads(result.read_text(encoding="utf-8")))
    result.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for kept in (*job.staging.rglob("*.csv"), *job.staging.glob("*.html")):
        kept.write_bytes(scrubber.text(kept.read_bytes().decode("utf-8")).encode("utf-8"))
    envelope = read_envelope(result)
    executed = scrubber.notebook(read_notebook(job.staging / EXECUTED))
    write_notebook(executed, job.staging / EXECUTED)
    secrets = known_secrets(load_config(job.root))
    page = encodable(render_report(executed, envelope, job.run_id))
    (job.staging / PAGE).write_text(page, encoding="utf-8")
    refuse_secrets(job.staging, secrets)  # before another program sees the page
    made, warnings = write_formats(job.staging, page, envelope, job.run_id, formats, paper)
    if made:
        page = encodable(render_report(executed, envelope, job.run_id, made))
        (job.staging / PAGE).write_text(page, encoding="utf-8")
        refuse_secrets(job.staging, secrets)
    write_manifest(job.staging)
    return Finished(envelope, tuple(warnings))


def scrubber_of(job: Job) -> Scrubber:
    """What takes the paths of this machine out of what a run says."""
    given = absolute_paths(to_json(dict(job.parameters)))
    return Scrubber(job.root, names=(*given, str(job.staging)))
