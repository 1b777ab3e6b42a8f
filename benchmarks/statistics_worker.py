"""One statistic of bench_statistics.py many times over: `python statistics_worker.py JOB COUNT`.

Prints as JSON the CPU of one, in microseconds, and what came out of one. Every one has its own counts, so
that nothing is remembered.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Job = Callable[[int], Any]


def _counts(number: int) -> tuple[int, int, int, int]:
    return 40 + number % 50, 1000 + number, 45 + number % 40, 1100 + number


def ours_difference() -> Job:
    from llmbench.stats import rate_difference_interval

    return lambda number: rate_difference_interval(*_counts(number))


def theirs_difference() -> Job:
    from statsmodels.stats.proportion import confint_proportions_2indep

    def one(number: int) -> Any:
        try:
            return confint_proportions_2indep(*_counts(number), compare="diff", method="score")
        except ValueError:  # at 5 of the first 400 its search finds no change of sign
            return None

    return one


def ours_ratio() -> Job:
    from llmbench.stats import rate_ratio_interval

    return lambda number: rate_ratio_interval(*_counts(number))


def theirs_ratio() -> Job:
    from statsmodels.stats.proportion import confint_proportions_2indep

    return lambda number: confint_proportions_2indep(*_counts(number), compare="ratio", method="score")


def ours_wilson() -> Job:
    from llmbench.stats import wilson_interval

    return lambda number: wilson_interval(*_counts(number)[:2])


def theirs_wilson() -> Job:
    from statsmodels.stats.proportion import proportion_confint

    return lambda number: proportion_confint(*_counts(number)[:2], method="wilson")


def ours_margin() -> Job:
    from llmbench.stats import margin_test

    return lambda number: margin_test(*_counts(number), margin=0.9)


def theirs_margin() -> Job:
    from statsmodels.stats.proportion import test_proportions_2indep

    return lambda number: test_proportions_2indep(
        *_counts(number), value=0.9, compare="ratio", method="score", alternative="larger", correction=True
    )


JOBS: dict[str, Callable[[], Job]] = {
    "score interval of a difference, llmbench": ours_difference,
    "score interval of a difference, statsmodels": theirs_difference,
    "score interval of a ratio, llmbench": ours_ratio,
    "score interval of a ratio, statsmodels": theirs_ratio,
    "Wilson interval, llmbench": ours_wilson,
    "Wilson interval, statsmodels": theirs_wilson,
    "margin test, llmbench": ours_margin,
    "margin test, statsmodels": theirs_margin,
}


def main() -> None:
    job, count = JOBS[sys.argv[1]](), int(sys.argv[2])
    found = job(0)
    begin = time.process_time()
    for number in range(1, count + 1):
        job(number)
    spent = (time.process_time() - begin) / count * 1e6
    print(json.dumps({"us": spent, "found": [float(value) for value in tuple(found)[:2]]}))


if __name__ == "__main__":
    main()
