"""The numbers of the memo: by hand, by brute force, and where a result cannot be what it says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmbench.decision import rollback_trigger
from llmbench.errors import UsageError
from llmbench.reporting.memo_charts import cash_figure, evidence_figure, flip_figure
from llmbench.reporting.memo_money import correlation_table
from llmbench.reporting.memo_money_words import saving_sentence
from llmbench.reporting.memo_study import MemoStudy, make_study
from llmbench.reporting.memo_tables import assumption_table
from llmbench.reporting.memo_words import verdict
from tests.reporting.memos import RESULTS, ROOT, leave, memo, parameters

MESSAGES = 100_000
GPT_4O = (500 * 2.5 + 200 * 10.0) / 1e6
MIXTRAL = 700 * 0.6 / 1e6
RATE = 220 / 18_403
RATIO = (0.7207843833532546, 1.0034363746848698, 1.4390987484531872)
MONTH = 730 / 24


@pytest.fixture(scope="module")
def study() -> MemoStudy:
    return memo()


def triangle(random: np.random.Generator, low: float, likely: float, high: float) -> Any:
    return random.triangular(low, likely, high, 400_000)


def test_saving_of_a_month_is_price_times_volume(study: MemoStudy) -> None:
    assert study.budget is not None
    last = study.budget.rows[-1]
    assert last.before_usd - last.after_usd == pytest.approx(MESSAGES * (GPT_4O - MIXTRAL))
    assert last.before_usd == pytest.approx(325.0)
    assert last.after_usd == pytest.approx(42.0)


def test_range_of_the_saving_is_that_of_its_factors(study: MemoStudy) -> None:
    assert study.budget is not None
    random = np.random.default_rng(5)
    work = triangle(random, 0.7, 1, 1.5) * triangle(random, 0.8, 1, 1.3)
    prices = GPT_4O * triangle(random, 0.9, 1, 1.0001) - MIXTRAL * triangle(random, 0.9, 1, 1.0001)
    expected = np.quantile(MESSAGES * work * prices, (0.1, 0.5, 0.9))
    assert study.budget.full_saving_per_month == pytest.approx(tuple(expected), rel=0.02)


def test_saving_is_shown_for_volume_and_lengths_that_go_together_and_apart(study: MemoStudy) -> None:
    assert study.budget is not None
    apart, together = study.by_correlation
    assert (apart.correlation, apart.assumed) == (0.0, True)
    assert (together.correlation, together.assumed) == (0.5, False)
    assert apart.total_saving == study.budget.total_saving
    assert apart.full_saving_per_month == study.budget.full_saving_per_month
    widths = [each.full_saving_per_month.p90 - each.full_saving_per_month.p10 for each in (apart, together)]
    assert widths[1] > 1.1 * widths[0]
    shown = correlation_table(study)
    assert shown is not None
    assert list(shown.shown["correlation"]) == ["0, as assumed", "0.5"]
    assumed = assumption_table(study).frame.set_index("assumption")["value"]
    assert assumed["volume and lengths of messages"] == "drawn apart"


def test_a_correlation_that_is_stated_is_that_of_the_memo(study: MemoStudy) -> None:
    stated = memo(uncertainty={"correlation": 0.3})
    assert [(each.correlation, each.assumed) for each in stated.by_correlation] == [
        (0.0, False), (0.3, True), (0.5, False),
    ]  # fmt: skip
    assert stated.budget is not None
    assert stated.budget.total_saving == stated.by_correlation[1].total_saving
    assert stated.by_correlation[0].total_saving == study.by_correlation[0].total_saving
    assumed = assumption_table(stated).frame.set_index("assumption")["value"]
    assert assumed["volume and lengths of messages"] == "correlated by 0.3"


def test_budget_by_days(study: MemoStudy) -> None:
    """Day by day: shadow of a tenth for two weeks, 1 and 5% for a week each, 25% for two, then all."""
    assert study.budget is not None
    steps = 1000
    moved, doubled = np.zeros(12), np.zeros(12)
    for month in range(12):
        weeks = (month + (np.arange(steps) + 0.5) / steps) * MONTH / 7
        moved[month] = np.select(
            [weeks < 2, weeks < 3, weeks < 4, weeks < 6], [0, 0.01, 0.05, 0.25], 1
        ).mean()
        doubled[month] = np.where(weeks < 2, 0.1, 0).mean()
    after = MESSAGES * (GPT_4O * (1 - moved) + MIXTRAL * (moved + doubled))
    assert [row.after_usd for row in study.budget.rows[1:]] == pytest.approx(after, abs=0.5)
    assert study.budget.rows[0].after_usd == 5 * 800
    saved = np.cumsum([-4000, *(325 - after), *[283.0] * 12])
    assert study.budget.payback.stated == int(np.argmax(saved >= 0)) == 16


def test_risk_by_draws_of_the_reply_ratio(study: MemoStudy) -> None:
    assert study.risk is not None
    assert study.rollback is not None
    low, value, high = RATIO
    worst = MESSAGES * RATE * (1 - low) * 20.0
    assert study.risk.worst_usd == pytest.approx(worst)
    spread = math.log(high / low) / (2 * 1.959964)
    ratio = value * np.exp(spread * np.random.default_rng(3).standard_normal(1_000_000))
    lost = MESSAGES * RATE * 20.0 * np.maximum(0, 1 - ratio)
    assert study.risk.expected_usd == pytest.approx(lost.mean(), rel=0.01)
    assert study.risk.probability_wrong == pytest.approx((ratio < 1).mean(), abs=0.003)
    assert study.risk.if_wrong_usd == pytest.approx(lost[ratio < 1].mean(), rel=0.01)


def test_loss_until_the_rollback_is_at_the_share_of_the_canary(study: MemoStudy) -> None:
    assert study.risk is not None
    rule = rollback_trigger(RATE, MESSAGES / MONTH, 0.25, margin=0.9, true_ratio=0.7)
    lost = 0.25 * study.risk.worst_usd * rule.days_to_rollback(RATIO[0]) / MONTH
    assert study.risk.worst_until_trigger_usd == pytest.approx(lost)
    assert study.risk.worst_until_trigger_usd == pytest.approx(2627, abs=30)


def test_hold_is_a_week_of_saving_and_replies(study: MemoStudy) -> None:
    assert study.hold is not None
    assert study.budget is not None
    week = 7 / MONTH
    assert study.hold.saving_usd == pytest.approx(study.budget.full_saving_per_month.p50 * week, rel=0.05)
    assert study.hold.net.p50 == pytest.approx(82, abs=25)


def test_flip_lines_are_where_the_net_value_is_nothing(study: MemoStudy) -> None:
    assert study.flip is not None
    assert study.budget is not None
    months = sum(1.1 ** (-month / 12) for month in range(1, 13))
    for line in study.flip.lines:
        for volume, ratio, saved in zip(
            (line.go_from, line.even_at, line.no_go_below),
            RATIO,
            study.budget.full_saving_per_month,
            strict=True,
        ):
            each = saved / MESSAGES + line.value_per_reply * RATE * (ratio - 1)
            if volume is None:
                assert each <= 0
            else:
                assert volume * each * months == pytest.approx(4000)


@pytest.mark.parametrize("volumes", [[], [5.0]])
def test_small_grids(volumes: list[float]) -> None:
    study = memo(volumes=volumes)
    plot = flip_figure(study)
    assert (plot is None) == (not volumes)


def test_nothing_is_saved_by_the_same_model_at_the_same_price() -> None:
    study = memo(baseline="gpt-4o", candidate="openai/gpt-4o", phase="abstraction")
    assert study.budget is not None
    assert tuple(study.budget.full_saving_per_month) == (0.0, 0.0, 0.0)
    assert study.quality is None
    assert study.results[0].measured.n == 1200
    assert study.results[0].state == "pass"


def test_own_machines_take_their_rent_from_break_even(tmp_path: Path) -> None:
    option = "mixtral-8x7b awq-int4 on L40S"

    def rent(result: dict[str, Any]) -> None:
        result["data"]["options"] = [{"option": option, "usd_per_month": 2416.0}]

    study = memo(leave(tmp_path, break_even=rent), baseline="gpt-4o", candidate=option, phase="vllm")
    assert study.budget is not None
    assert study.budget.rows[-1].after_usd == pytest.approx(2416)
    assert study.budget.full_saving_per_month.p50 == pytest.approx(325 - 2416, rel=0.05)
    unknown = memo(leave(tmp_path / "b", break_even=rent), candidate=option, messages_per_month=2e5)
    assert unknown.budget is None


def test_other_volumes_keep_the_price_book_of_break_even() -> None:
    study = memo(messages_per_month=2e5)
    assert study.prices is not None
    assert study.prices[0].usd_per_message == pytest.approx(GPT_4O)
    assert {price.book for price in study.prices} == {"2025-01-23"}


def test_a_candidate_without_a_price_costs_no_0() -> None:
    study = memo(candidate="nobodys-model", messages_per_month=1e5, input_tokens=500.0, output_tokens=200.0)
    assert study.prices is not None
    assert study.prices[1].usd_per_message is None
    assert study.budget is None
    assert study.flip is None
    assert study.ending.unpriced == ("nobodys-model",)
    assert verdict(study).decision == "HOLD"


WRONG: tuple[tuple[str, str, Any], ...] = (
    ("ab_test", "comparisons.0.ratio", "1.0"),
    ("ab_test", "comparisons.0.ratio_ci", [None, None]),
    ("ab_test", "comparisons.0.ratio_ci", [1e-300, 1e300]),
    ("ab_test", "comparisons", [None, 3]),
    ("ab_test", "arms", {"gpt-4o": 1}),
    ("ab_test", "arms.1.replies", 10**400),
    ("ab_test", "arms.1.replies", 1e9),
    ("model_matrix", "models.1.missing", -5),
    ("model_matrix", "models.1.n", -1199),
    ("model_matrix", "models.1.latency_ms.p95_ci", [3000.0, 1.0]),
    ("ab_test", "srm.p_value", 1.5),
    ("ab_test", "comparisons.0.net_value_per_1000.probability_positive", 7),
    ("model_matrix", "comparisons.0.difference", float("nan")),
    ("break_even", "workload", None),
    ("break_even", "workload.messages_per_month", -1),
    ("break_even", "workload.messages_per_month", 1e300),
    ("break_even", "api", [None]),
)

GATES = {
    "models.1.missing": "answered",
    "models.1.n": "answered",
    "models.1.latency_ms.p95_ci": "latency",
    "srm.p_value": "split",
    "comparisons.0.net_value_per_1000.probability_positive": "worth it",
}
"""What only a gate reads."""


@pytest.mark.parametrize(("report", "path", "value"), WRONG)
def test_a_wrong_number_is_no_number(tmp_path: Path, report: str, path: str, value: Any) -> None:
    def change(result: dict[str, Any]) -> None:
        inner: Any = result["data"]
        *way, last = path.split(".")
        for key in way:
            inner = inner[int(key) if key.isdigit() else key]
        inner[last] = value

    study = memo(leave(tmp_path, **{report: change}), draws=200)
    assert verdict(study).decision == "HOLD"
    if path in GATES:
        found = next(result for result in study.results if result.gate.name == GATES[path])
        assert found.state == "insufficient"
        assert "cannot be" in found.reason or "does not tell" in found.reason
    else:
        lacking = {"ab_test": study.effect, "model_matrix": study.quality, "break_even": study.budget}
        assert lacking[report] is None


@pytest.mark.parametrize(
    "field", ["baseline", "candidate", "price_book", "data_until", "workload_sha256", "data"]
)
def test_an_envelope_of_wrong_types_is_unreadable(tmp_path: Path, field: str) -> None:
    study = memo(leave(tmp_path, ab_test=lambda result: result.update({field: 5})), draws=200)
    assert study.evidence.source("ab_test").state == "unreadable"
    assert field in study.evidence.source("ab_test").reason or field == "data"


def test_figures_of_hostile_names_and_of_nothing(tmp_path: Path) -> None:
    study = memo(tmp_path, candidate="=<script>$x$", baseline="<b>")
    assert (evidence_figure(study), cash_figure(study), flip_figure(study)) == (None, None, None)


def test_results_that_are_too_old_count_only_with_a_reason(tmp_path: Path) -> None:
    own = leave(tmp_path, **dict.fromkeys(("model_matrix", "ab_test", "break_even"), own_data))
    old = memo(own, as_of="2025-05-20")
    states = {source.report: str(source.state) for source in old.evidence.sources}
    assert states == {
        "model_matrix": "used",
        "ab_test": "stale",
        "break_even": "stale",
        "fine_tune": "missing",
        "routing": "missing",
    }
    replies = next(result for result in old.results if result.gate.name == "replies")
    assert (replies.state, "days old" in replies.reason) == ("insufficient", True)
    assert old.risk is None
    accepted = memo(own, as_of="2025-05-20", accept_stale="the vendor sells no more tests")
    assert len(accepted.evidence.used) == 3
    assert not accepted.evidence.simulated
    assert "Results that are too old count, because: the vendor sells no more tests" in (
        verdict(accepted).reasons
    )


def own_data(result: dict[str, Any]) -> None:
    result["data"].pop("simulated", None)


def test_what_stays_is_not_saved(tmp_path: Path) -> None:
    """Four of five messages move; the others, and today's volume and prices, are as they were."""
    gates = tmp_path / "gates.toml"
    text = (ROOT / "data" / "migration" / "gates.toml").read_text(encoding="utf-8")
    gates.write_text(text.replace('candidate = "mixtral-8x7b"', 'candidate = "mixtral-8x7b"\nshare = 0.8'))
    whole, part = memo(), memo(gates=str(gates))
    assert whole.budget is not None
    assert part.budget is not None
    of_whole, of_part = whole.budget.full_saving_per_month, part.budget.full_saving_per_month
    assert of_part == pytest.approx(tuple(0.8 * usd for usd in of_whole))
    last = part.budget.rows[-1]
    assert last.before_usd - last.after_usd == pytest.approx(0.8 * 283)
    assert part.risk is not None
    assert whole.risk is not None
    assert part.risk.worst_usd == pytest.approx(0.8 * whole.risk.worst_usd)
    assert "80% of 100,000 messages" in saving_sentence(part)
    # The grid is counted in messages that move, whose saving is the same.
    assert part.flip is not None
    assert whole.flip is not None
    assert part.flip.lines[0].even_at == pytest.approx(whole.flip.lines[0].even_at)


def test_growth_is_in_the_budget_and_not_in_the_month_of_today() -> None:
    grown = memo(growth_per_month=-0.5)
    assert grown.budget is not None
    assert grown.budget.rows[12].before_usd == pytest.approx(325 * 0.5**11)
    assert grown.budget.full_saving_per_month.p50 == pytest.approx(296, abs=1)
    falling = memo(api_fall_per_year=10.0)
    assert falling.budget is not None
    assert falling.budget.full_saving_per_month.p50 == pytest.approx(296, abs=1)
    assert falling.flip is not None
    assert falling.flip.saving_per_message.mode < 0.5 * 296 / MESSAGES


def test_the_old_machine_of_a_share_stays_on(tmp_path: Path) -> None:
    option = "gpt-4o on our own"

    def rent(result: dict[str, Any]) -> None:
        result["data"]["options"] = [{"option": option, "usd_per_month": 500.0}]
        result["candidate"], result["baseline"] = "mixtral-8x7b", option

    study = memo(
        leave(tmp_path / "out", break_even=rent), baseline=option, phase="llama", candidate="mixtral-8x7b"
    )
    assert study.budget is not None
    assert study.budget.rows[-1].after_usd == pytest.approx(500 + 0.8 * 42)


def test_a_folder_of_reports_that_is_not_there_is_no_empty_one() -> None:
    with pytest.raises(UsageError, match="Parameter 'reports': there is no folder 'reprots'"):
        make_study(parameters(reports="reprots"), ROOT, RESULTS)
