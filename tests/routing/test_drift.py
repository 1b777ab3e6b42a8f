from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency

from llmbench.routing.drift import DriftMonitor, _distances, drift_reference


def test_the_statistic_is_that_of_a_table_of_two_samples() -> None:
    one, other = [10, 30, 60], [40, 50, 10]
    assert _distances(one, other)[0] == pytest.approx(chi2_contingency([one, other], correction=False)[0])


def test_the_index_is_its_definition() -> None:
    one, other = [100, 300], [300, 100]
    a, b = 100.5 / 401, 300.5 / 401
    assert _distances(one, other)[1] == pytest.approx(2 * (a - b) * np.log(a / b))


def test_the_critical_value_is_bonferronis() -> None:
    reference = drift_reference({"a": range(100), "b": range(100)})
    assert reference.watched[0].critical == pytest.approx(chi2.isf(0.001 / 2, 9))


def test_bins_of_few_values() -> None:
    found = drift_reference({"a": [0.0] * 80 + [1.0] * 20}).watched[0]
    assert found.edges == (1.0,)
    assert found.counts == (80, 20)
    assert drift_reference({"a": [0.0] * 98 + [1.0, 2.0]}).watched[0].counts == (98, 2)


def test_a_number_that_never_varied_never_alarms() -> None:
    reference = drift_reference({"a": [3.0] * 50})
    assert reference.watched[0].counts == (50,)
    monitor = DriftMonitor(reference)
    assert all(monitor.observe((float(value),)) is None for value in range(1000))


def test_the_monitor_alarms_at_the_end_of_a_window_and_stays() -> None:
    random = np.random.default_rng(0)
    columns = {name: random.normal(size=400).tolist() for name in ("score", "length")}
    monitor = DriftMonitor(drift_reference(columns))
    for _ in range(499):
        assert monitor.observe((1.0, random.normal())) is None
    assert "differ in score" in str(monitor.observe((1.0, 0.0)))
    for _ in range(1000):
        assert monitor.observe((random.normal(), random.normal())) is not None
    assert monitor.indices["score"] < 0.2
    monitor.reset()
    assert (monitor.alarm, monitor.seen) == (None, 0)


def test_a_shift_of_half_a_standard_deviation_is_seen_within_a_window() -> None:
    random = np.random.default_rng(1)
    reference = drift_reference({"score": random.normal(size=436)})
    seen = 0
    for _ in range(50):
        monitor = DriftMonitor(reference)
        for value in random.normal(0.5, 1, size=500):
            monitor.observe((value,))
        seen += monitor.alarm is not None
    assert seen >= 48
