"""Queues and present values beside the packages that compute them too, where they are installed."""

from __future__ import annotations

import random

import pytest

from llmbench.economics import net_present_value, waiting


def test_present_values_are_those_of_numpy_financial() -> None:
    npf = pytest.importorskip("numpy_financial", reason="pip install --group peers")
    random.seed(20250123)
    for _ in range(50):
        cash = [random.uniform(-5000, 5000) for _ in range(random.randint(1, 48))]
        year = random.uniform(-0.5, 1.0)
        month = (1 + year) ** (1 / 12) - 1
        assert net_present_value(cash, year) == pytest.approx(float(npf.npv(month, cash)), rel=1e-9, abs=1e-6)


def test_queues_are_those_of_pyworkforce() -> None:
    queuing = pytest.importorskip("pyworkforce.queuing", reason="pip install --group peers")
    for calls, minutes, agents in ((100, 3.0, 14), (40, 5.0, 9), (200, 2.0, 20), (12, 1.0, 1)):
        peer = queuing.ErlangC(transactions=calls, aht=minutes, asa=20 / 60, interval=30, shrinkage=0.0)
        queue = waiting(agents, calls * minutes / 30, minutes * 60)
        assert queue.probability == pytest.approx(peer.waiting_probability(positions=agents), rel=1e-9)
        assert 1 - queue.beyond(20) == pytest.approx(peer.service_level(positions=agents), rel=1e-9)
