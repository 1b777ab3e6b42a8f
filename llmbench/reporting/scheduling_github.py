"""A schedule as a workflow of GitHub Actions."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from llmbench import __version__
from llmbench.config import ProjectConfig, load_config
from llmbench.errors import UsageError
from llmbench.providers.registry import PROVIDERS, key_variables
from llmbench.reporting.parameters import read_parameters
from llmbench.reporting.remote import remote_url
from llmbench.reporting.run import find_notebook
from llmbench.reporting.scheduling import Schedule, next_runs
from llmbench.reporting.text import texts_of
from llmbench.run_files import REPORTS

__all__ = ["github_workflow", "key_names"]

_SHORTEST = timedelta(minutes=5)
_LOOKED_AT = 300
"""Runs of an hour and more of any that are too close."""
_LEDGER = "LLMBENCH_LEDGER"
_NOT_UPLOADED = f".llmbench/{REPORTS}"
"""What could not be uploaded waits here for the next run."""
_PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs",
    "abfss": "adlfs", "oss": "ossfs",
}  # fmt: skip
"""{kind of URL: the package that fsspec needs for it}."""


def github_workflow(schedule: Schedule) -> str:
    """The file to keep as .github/workflows/NAME.yml.

    It names the secrets that the endpoints of these notebooks need, and holds the value of none.

    Raises UsageError for what a workflow of GitHub cannot do: another time zone than UTC, a run more often
    than every five minutes, a parameter file or a folder of reports outside of the project.
    """
    if schedule.time_zone != "UTC":
        raise UsageError(
            f"A schedule of GitHub Actions is in UTC, not {schedule.time_zone}: write the cron expression in "
            f"UTC and leave --time-zone out."
        )
    if re.search(r"(?<![0-9/])7", schedule.cron.split()[4]):
        raise UsageError("To GitHub Actions, Sunday is 0 or SUN, not 7; correct the cron expression.")
    times = next_runs(schedule.cron, count=_LOOKED_AT)
    if any(after - before < _SHORTEST for before, after in pairwise(times)):
        raise UsageError(
            f"GitHub Actions runs a schedule every five minutes at most; {schedule.cron!r} is more."
        )
    if schedule.file is not None and not schedule.file.is_relative_to(schedule.root):
        raise UsageError(
            f"The parameter file {schedule.file.name} lies outside of the project, where a workflow does not "
            f"find it; put it into the project and commit it."
        )
    url = remote_url(schedule.out) if schedule.out is not None else None
    if url is None and schedule.out is not None and Path(schedule.out).is_absolute():
        raise UsageError(
            f"The folder of reports {Path(schedule.out).name} lies outside of the project, where a workflow "
            f"keeps nothing; name one in the project, or a URL."
        )
    config = load_config(schedule.root)
    shared = "://" in config.ledger_url
    secrets = [*key_names(schedule, config), *([_LEDGER] if shared else [])]
    reports = schedule.out or REPORTS
    kept = [_NOT_UPLOADED if url is not None else reports, *([] if shared else [_ledger_files(config)])]
    names = {"label": schedule.label, "notebooks": ", ".join(schedule.notebooks)}
    return _WORKFLOW.format(
        **names,
        next_runs=schedule.next_line(),
        name=_text(f"llmbench {names['notebooks']}"),
        cron=_text(schedule.cron),
        python=_text(f"{sys.version_info.major}.{sys.version_info.minor}"),
        install=_text(f"python -m pip install {_package(schedule.root)}{_package_of(url)}"),
        readable=_OPEN if url is None else _OPEN_CACHE.format(url=url),
        signing_in=_SIGNING_IN.format(url=url) if url is not None else "",
        steps=_steps(schedule, _secrets(secrets)),
        kept="\n".join(f"            {path}" for path in kept),
        artifact=_ARTIFACT.format(path=_text(reports)) if url is None else "",
    )


def key_names(schedule: Schedule, config: ProjectConfig) -> list[str]:
    """The environment variables in which keys of the endpoints that the notebooks name may stand.

    An endpoint is named by a parameter `endpoint/model`, given or left at its default.
    """
    found: list[str] = []
    for notebook in schedule.notebooks:
        declared = read_parameters(find_notebook(notebook, schedule.root))
        values = {parameter.name: parameter.default for parameter in declared}
        values |= schedule.values[notebook]
        for text in texts_of(values):
            found += _variables(text.partition("/")[0], config) if "/" in text else []
    return sorted(set(found))


def _variables(name: str, config: ProjectConfig) -> tuple[str, ...]:
    endpoint = config.endpoints.get(name)
    if endpoint is not None:
        if endpoint.api_key_env is not None:
            return (endpoint.api_key_env,)
        return key_variables(endpoint.provider, endpoint.backend)
    row = PROVIDERS.get(name)
    backends = row.hosted_backends or (None,) if row is not None else ()
    return tuple(variable for backend in backends for variable in key_variables(name, backend))


def _ledger_files(config: ProjectConfig) -> str:
    """The ledger and what SQLite keeps beside it; without LLMBENCH_LEDGER, which a runner has not."""
    path = Path(config.ledger_url)
    if os.environ.get(_LEDGER) or not path.is_relative_to(config.root):
        return ".llmbench/ledger.db*"
    return f"{path.relative_to(config.root).as_posix()}*"


def _package(root: Path) -> str:
    """The clone itself, where the project is one, else the version that wrote the schedule."""
    own = (root / "llmbench" / "__init__.py").is_file() and (root / "pyproject.toml").is_file()
    return "'.[all]'" if own else f"'llmbench[all]=={__version__}'"


def _package_of(url: str | None) -> str:
    """What pip installs beside llmbench for this kind of URL; fsspec alone knows the others."""
    package = _PACKAGES.get(url.partition("://")[0]) if url is not None else None
    return f" {package}" if package is not None else ""


def _steps(schedule: Schedule, environment: str) -> str:
    """One step a command; the second runs also when the first found that something got worse."""
    steps = []
    for number, words in enumerate(schedule.commands()):
        command = shlex.join(["python", "-m", "llmbench", *words, "--fail-on-regression"])
        condition = "        if: ${{ !cancelled() }}\n" if number else ""
        steps.append(f"      - run: {_text(command)}\n{condition}{environment}")
    return "".join(steps)


def _secrets(names: list[str]) -> str:
    if not names:
        return ""
    lines = "\n".join(f"          {name}: ${{{{ secrets.{name} }}}}" for name in names)
    return f"        env: # each is a secret of the repository's settings; one not there is empty\n{lines}\n"


def _text(value: str) -> str:
    """A string of YAML in which GitHub finds no expression of its own."""
    return json.dumps(value, ensure_ascii=False).replace("${{", "${{ '${{' }}")


_WORKFLOW = """\
# llmbench: {notebooks}. {next_runs}.
# A report that got worse ends the run with exit code 4, and GitHub writes to whoever follows its runs.
# GitHub starts a schedule late when it is busy, and stops it in a public repository after 60 days
# without a commit.
{readable}
name: {name}
on:
  schedule:
    - cron: {cron}
  workflow_dispatch:
permissions:
  contents: read
concurrency: # two never run at once: the second waits
  group: llmbench-{label}
  cancel-in-progress: false
jobs:
  report:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: {python}
      - run: {install}
{signing_in}      # A cache never changes: each run saves one of its own and begins with the newest.
      - uses: actions/cache/restore@v4
        with:
          path: |
{kept}
          key: llmbench-{label}-${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}
          restore-keys: llmbench-{label}-
{steps}      - uses: actions/cache/save@v4
        if: always() # answers that were paid for are kept also when the report failed
        with:
          path: |
{kept}
          key: llmbench-{label}-${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}
{artifact}"""
_OPEN = """\
# The ledger and the reports lie in the cache and in the artifact. Whoever can open a pull request can read
# the cache, and whoever can read the repository the artifact: keep customers' texts in a private one."""
_OPEN_CACHE = """\
# The ledger lies in the cache, and the reports at {url}.
# Whoever can open a pull request can read the cache: keep customers' texts in a private repository."""
_ARTIFACT = """\
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: reports
          path: {path}
"""
_SIGNING_IN = """\
      # Add a step here that signs in to {url},
      # such as aws-actions/configure-aws-credentials.
"""
