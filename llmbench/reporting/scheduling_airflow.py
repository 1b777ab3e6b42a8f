"""A schedule as a DAG of Airflow.

The DAG runs the notebook itself, by PapermillOperator, once. Around it the task does what `llmbench report`
does: a folder made aside, of which the notebook learns by the environment, then scrubbed, searched for
secrets and published. So there is no second task that runs the notebook again to publish it, and never an
executed notebook that nobody has searched.
"""

from __future__ import annotations

import pprint
from datetime import timedelta

from llmbench.reporting.remote import remote_url
from llmbench.reporting.scheduling import Schedule

__all__ = ["airflow_dag"]


def airflow_dag(schedule: Schedule) -> str:
    """The file to keep in Airflow's folder of DAGs.

    Airflow must run in a Python that also has llmbench and apache-airflow-providers-papermill.
    """
    start = schedule.next_runs[0] - timedelta(days=1)
    return _DAG.format(
        next_runs=schedule.next_line(),
        root=_literal(str(schedule.root)),
        reports=_literal({name: dict(schedule.values[name]) for name in schedule.notebooks}),
        tasks=_literal(_task_ids(schedule.notebooks)),
        out=_literal(_from_anywhere(schedule)),
        formats=_literal(schedule.formats),
        paper=_literal(schedule.paper),
        dag_id=_literal(f"llmbench-{schedule.label}"),
        cron=_literal(schedule.cron),
        start=f"{start.year}, {start.month}, {start.day}, tz={_literal(schedule.time_zone)}",
    )


def _from_anywhere(schedule: Schedule) -> str | None:
    """Where the reports go, for a process whose current folder nobody knows."""
    if schedule.out is None or remote_url(schedule.out) is not None:
        return schedule.out
    return str(schedule.root / schedule.out)


def _task_ids(notebooks: tuple[str, ...]) -> dict[str, str]:
    """{notebook: an id of letters, digits, - and _}, no two alike."""
    ids: dict[str, str] = {}
    for name in notebooks:
        word = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)[:80]
        ids[name] = word if word not in ids.values() else f"{word}_{len(ids)}"
    return ids


def _literal(value: object) -> str:
    """Python text of a value of JSON, whatever is in its strings."""
    return pprint.pformat(value, width=100, sort_dicts=False)


_DAG = '''\
"""Reports of llmbench. {next_runs}."""

from __future__ import annotations

import pendulum
from airflow.providers.papermill.operators.papermill import PapermillOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

ROOT = {root}
# Folder or URL of the reports; None: reports/ in ROOT
OUT = {out}
# What a report is made as beside HTML, and on which paper
FORMATS, PAPER = {formats}, {paper}
# {{notebook: parameters}}
REPORTS = {reports}
# {{notebook: id of its task}}
TASKS = {tasks}


class ReportOperator(PapermillOperator):
    """Runs a notebook as `llmbench report` does, and publishes what it leaves."""

    template_fields = ()  # parameters are values: Airflow must not read {{{{ }}}} in them

    def execute(self, context):
        """Returns the id of the run."""
        from llmbench.reporting.staged_run import staged_run

        own = self.input_nb, self.output_nb, self.parameters
        with staged_run(
            self.input_nb, self.parameters, OUT, root=ROOT, formats=FORMATS, paper=PAPER
        ) as run:
            self.input_nb, self.output_nb, self.parameters = run.input, run.output, run.parameters
            try:
                super().execute(context)
            finally:  # it may be tried again
                self.input_nb, self.output_nb, self.parameters = own
            return run.publish()


with DAG(
    dag_id={dag_id},
    schedule={cron},
    start_date=pendulum.datetime({start}),
    catchup=False,
    max_active_runs=1,  # two never run at once
) as dag:
    before = None
    for notebook, parameters in REPORTS.items():
        task = ReportOperator(
            task_id=TASKS[notebook],
            input_nb=notebook,
            output_nb="set by the run",
            parameters=parameters,
            kernel_name="python3",
            language_name="python",
        )
        if before is not None:  # one after the other
            before >> task
        before = task
'''
