from __future__ import annotations

from tests.reporting.conftest import good_run, reports_project, session_project

__all__ = ["good_run", "reports_project", "session_project"]
