from __future__ import annotations

import multiprocessing
import sys

import pytest

from llmbench.providers.clock import SystemClock
from llmbench.providers.trail import Trail


def make_ids(count: int) -> list[str]:
    return [Trail(SystemClock(), 1.0, None).id for _ in range(count)]


def test_ids_are_32_hexadecimal_digits_and_differ() -> None:
    ids = make_ids(1000)
    assert len(set(ids)) == 1000
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in ids)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_children_make_ids_of_their_own() -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        found = [each for ids in pool.map(make_ids, [50] * 6) for each in ids] + make_ids(50)
    assert len(set(found)) == len(found)
