from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from llmbench import FakeProvider, ModelRouter
from llmbench.errors import UsageError
from llmbench.routing import Outcomes, calibrate, evaluate, outcomes_of
from llmbench.routing.calibrated import CalibratedRouting, Status
from llmbench.routing.calibration import candidate_thresholds, choices_at, split_prompts
from llmbench.routing.text_features import terms_of, words_of
from tests.routing.gsm8k import gsm8k

pytest.importorskip("sklearn")

EASY, HARD = "hello thanks please", "integral theorem proof lemma"


def synthetic(n: int = 960, seed: int = 1, **changes: Any) -> dict[str, Any]:
    """Prompts that say what they are: the small model fails at the hard half."""
    random = np.random.default_rng(seed)
    hard = random.random(n) < 0.5
    words = [(HARD if each else EASY).split() for each in hard]
    prompts = [f"{' '.join(random.permutation(w)[:3])} item{i}?" for i, w in enumerate(words)]
    large = (random.random(n) < 0.95).astype(float)
    small = np.where(hard, random.random(n) < 0.2, random.random(n) < 0.95).astype(float)
    data = {
        "prompts": prompts,
        "scores": {"small": small, "large": large},
        "costs": {"small": [0.001] * n, "large": [0.01] * n},
    }
    return data | changes


@pytest.fixture(scope="module")
def routing() -> CalibratedRouting:
    return calibrate(synthetic(), penalty=1.0)


def test_calibrate_routes_what_the_small_model_can(routing: CalibratedRouting) -> None:
    assert routing.status is Status.ROUTE
    assert routing.models == ("small", "large")
    assert routing.strong == "large"
    assert routing.score(f"{EASY}?").model == "small"
    assert routing.score(f"{HARD}?").model == "large"
    expected = routing.expected
    assert expected is not None
    assert 0.3 < expected.shares["small"] < 0.6
    assert expected.saving_usd == pytest.approx(0.009 * expected.shares["small"])
    assert routing.summary.startswith("Route ")
    assert "95% confidence at most 5%" in routing.summary


def test_calibrate_certifies_on_prompts_that_never_trained(routing: CalibratedRouting) -> None:
    assert not set(routing.trained_on) & set(routing.certified_on)
    assert len(routing.certified_on) == routing.certificate.n == 320
    assert len(routing.trained_on) == 640
    assert routing.certificate.p_value is not None
    assert routing.certificate.p_value <= 0.05


def test_calibrate_does_not_look_at_calibration_outcomes_while_training(routing: CalibratedRouting) -> None:
    data = synthetic()
    for scores in data["scores"].values():
        scores[list(routing.certified_on)] = 0.0
    again = calibrate(data, penalty=1.0)
    assert again.scorer == routing.scorer


def test_calibrate_is_the_same_by_seed(routing: CalibratedRouting) -> None:
    again = calibrate(synthetic(), penalty=1.0)
    assert again.scorer == routing.scorer
    assert again.threshold == routing.threshold
    assert calibrate(synthetic(), penalty=1.0, seed=5).certified_on != routing.certified_on


def test_calibrate_with_too_few_prompts_says_so() -> None:
    found = calibrate(synthetic(300), penalty=1.0)
    assert found.status is Status.NOT_ENOUGH_DATA
    assert found.threshold is None
    assert "not enough data. 100 independent prompts" in found.summary
    assert found.score(f"{EASY}?").model == "large"
    with pytest.raises(UsageError, match=r"There are 5 prompts; .* needs about 900"):
        calibrate(synthetic(5))


def test_calibrate_without_a_certified_threshold_stays_with_the_strong_model() -> None:
    found = calibrate(synthetic(), penalty=1.0, tolerance=0.001)
    assert found.status is Status.NOT_CERTIFIED
    assert found.summary.startswith("Route nothing, stay with large: no threshold is shown")
    assert found.score(f"{EASY}?").model == "large"


def test_calibrate_without_a_connection_claims_no_gain() -> None:
    data = synthetic()
    order = np.random.default_rng(0).permutation(960)
    data["scores"] = {name: values[order] for name, values in data["scores"].items()}
    found = calibrate(data, penalty=1.0)
    assert found.status is Status.NO_GAIN
    assert "better than a coin's" in found.summary
    assert found.certificate.passed > 0  # a coin stays within the tolerance too: no reason for a router
    assert found.threshold is None


def test_calibrate_where_the_cheapest_suffices_needs_no_router() -> None:
    data = synthetic()
    data["scores"]["small"] = data["scores"]["large"].copy()
    found = calibrate(data, penalty=1.0, strong="large")
    assert found.status is Status.CHEAPEST
    assert found.summary.startswith("No router is needed: send all prompts to small")
    assert found.score(f"{HARD}?").model == "small"


def test_calibrate_where_the_best_is_the_cheapest() -> None:
    found = calibrate(synthetic(costs={"small": [1.0] * 960, "large": [0.1] * 960}), penalty=1.0)
    assert found.status is Status.NO_CHEAPER
    assert "none is cheaper" in found.summary


def test_calibrate_leaves_missing_scores_out_for_that_model_and_counts_them() -> None:
    data = synthetic()
    data["scores"]["small"][:30] = math.nan
    found = calibrate(data, penalty=1.0)
    assert found.provenance.missing == {"small": 30, "large": 0}
    assert found.certificate.n + found.certificate.left_out == 320
    assert found.certificate.left_out > 0
    assert found.certificate.holds_if_missing_are_worst in {True, False}
    assert found.status is Status.ROUTE


def test_calibrate_takes_scores_between_0_and_1() -> None:
    data = synthetic()
    data["scores"] = {name: 0.2 + 0.6 * values for name, values in data["scores"].items()}
    found = calibrate(data, penalty=1.0)
    assert found.status is Status.ROUTE
    chance = found.score(f"{EASY}?").success["small"]
    assert 0.6 < chance < 0.85  # the mean score, not the chance of a full one
    assert found.score(f"{EASY}?").model == "small"


def test_calibrate_several_models_asks_the_cheapest_that_suffices() -> None:
    random = np.random.default_rng(3)
    n = 1500
    kind = random.integers(3, size=n)
    words = np.array(["hello thanks", "summary paragraph", "integral theorem"])
    able = np.array([[0.95, 0.95, 0.95], [0.2, 0.95, 0.95], [0.1, 0.2, 0.95]])
    scores = (random.random((n, 3)) < able[kind]).astype(float)
    known = Outcomes(
        tuple(f"{words[k]} {i}" for i, k in enumerate(kind)),
        ("small", "middle", "large"),
        scores,
        np.tile([0.001, 0.004, 0.02], (n, 1)),
    )
    found = calibrate(known, penalty=1.0)
    assert found.status is Status.ROUTE
    assert [found.score(f"{w} 7").model for w in words] == ["small", "middle", "large"]
    assert found.choose("summary paragraph").models == ("middle", "large", "small")


def test_calibrate_splits_by_cluster() -> None:
    data = synthetic(clusters=[i // 2 for i in range(960)])
    found = calibrate(data, penalty=1.0)
    assert not {i // 2 for i in found.trained_on} & {i // 2 for i in found.certified_on}
    assert found.certificate.units == found.certificate.n // 2 == 160
    assert found.status is Status.NOT_ENOUGH_DATA  # 160 independent ones, not 320


def test_same_prompts_are_one_cluster() -> None:
    groups = Outcomes(("a b", "A  b", "c"), ("x", "y"), [[0, 1]] * 3).groups()
    assert groups.tolist() == [0, 0, 1]


def test_calibrate_renames_models() -> None:
    found = calibrate(synthetic(), penalty=1.0, names={"small": "gpu/llama", "large": "openai/gpt-4o"})
    assert found.models == ("gpu/llama", "openai/gpt-4o")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tolerance": 0.0}, "tolerance"),
        ({"level": 1.0}, "level"),
        ({"calibration_share": 1.5}, "calibration_share"),
        ({"strong": "huge"}, "strong is 'huge', which has no results; there are small, large"),
        ({"models": ["small", "huge"]}, "no results of 'huge'"),
        ({"penalty": -1.0}, "penalty is -1"),
    ],
)
def test_calibrate_refuses_what_cannot_be_meant(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        calibrate(synthetic(60), **changes)


def test_choices_at_is_its_definition() -> None:
    random = np.random.default_rng(4)
    chances, thresholds = random.random((40, 3)), np.sort(random.uniform(-0.5, 1, 7))
    for row, choice in zip(chances, choices_at(chances, thresholds), strict=True):
        for threshold, chosen in zip(thresholds, choice, strict=True):
            within = [place for place in (0, 1) if row[2] - row[place] <= threshold]
            assert chosen == (within[0] if within else 2)


def test_candidate_thresholds_rise_and_end_with_all_to_the_cheapest() -> None:
    found = candidate_thresholds(np.random.default_rng(5).random((200, 3)))
    assert (np.diff(found) > 0).all()
    assert found[-1] == 1.0


def test_split_prompts_takes_whole_groups_up_to_the_share() -> None:
    groups = np.repeat(np.arange(50), 3)
    train, held = split_prompts(groups, 1 / 3, 7)
    assert len(held) == 48
    assert not set(groups[train]) & set(groups[held])
    assert sorted([*train, *held]) == list(range(150))


def test_outcomes_of_a_table_averages_repeats() -> None:
    table = pd.DataFrame(
        [("a?", "x", 1.0, 0.1), ("a?", "x", 0.0, 0.3), ("a?", "y", 1.0, None), ("b?", "x", None, 0.1)],
        columns=["prompt", "model", "score", "cost_usd"],
    )
    found = outcomes_of(table)
    assert found.prompts == ("a?", "b?")
    np.testing.assert_allclose(found.scores, [[0.5, 1.0], [np.nan, np.nan]])
    np.testing.assert_allclose(found.costs, [[0.2, np.nan], [0.1, np.nan]])


def test_outcomes_of_a_matrix_reads_answers_and_dataset() -> None:
    rows = [("1", "x", 1.0), ("1", "y", 0.0), ("2", "x", np.nan), ("2", "y", 1.0)]
    answers = pd.DataFrame(
        [(i, f"{m} | p", m, s, 0.1, "p") for i, m, s in rows],
        columns=["item_id", "cell", "model", "score", "cost_usd", "prompt"],
    )
    items = [SimpleNamespace(id=i, fields={"q": f"text {i}"}, cluster=None) for i in ("2", "1")]
    found = outcomes_of(
        SimpleNamespace(answers=answers, dataset=SimpleNamespace(rows=items, prompt_column="q"))
    )
    assert found.prompts == ("text 2", "text 1")
    np.testing.assert_allclose(found.scores, [[np.nan, 1.0], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"prompts": ["a"], "scores": {"x": [2], "y": [0]}},
            "that of x on prompt 0 is 2",
        ),
        ({"prompts": ["a"], "scores": {"x": [1]}}, "two or more"),
        ({"prompts": ["a", " "], "scores": {"x": [1, 1], "y": [0, 1]}}, "Each prompt must be a text"),
        ({"prompts": ["a", "b"], "scores": {"x": [1], "y": [0, 1]}}, r"scores\['x'\] has 1 values"),
        ({"prompts": ["a"], "score": {}}, "A mapping of results holds"),
        ({"prompts": ["a"], "scores": {"x": ["?"], "y": [0]}}, "scores must be numbers"),
        ({"prompts": ["a"], "scores": {"x": [1], "y": [0]}, "costs": {"x": [-1]}}, "negative"),
        ({"prompts": ["a"], "scores": {"x": [1], "y": [0]}, "clusters": []}, "clusters has 0 labels"),
        (3, "results must be"),
    ],
)
def test_outcomes_of_refuses(data: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        outcomes_of(data)


def providers() -> dict[str, FakeProvider]:
    return {
        "one": FakeProvider(lambda messages, params: "small", model="small"),
        "two": FakeProvider(lambda messages, params: "large", model="large"),
    }


def say(*contents: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": each} for each in contents]


def test_smart_asks_what_the_file_says(routing: CalibratedRouting, tmp_path: Path) -> None:
    path = routing.save(tmp_path / "routes.json")
    router = ModelRouter(providers(), routes=str(path))
    easy = asyncio.run(router.route(say(EASY)))
    hard = asyncio.run(router.route(say(HARD)))
    assert (easy.content, hard.content) == ("small", "large")
    assert easy.metadata["route"]["rule"] == "calibrated"
    assert "within" in easy.metadata["route"]["reason"]
    assert router.explain(say(EASY, "and then?")).rule == "several turns"
    assert router.explain(say(EASY, "and then?")).chosen == "two/large"
    assert isinstance(router.table, CalibratedRouting)
    assert router.table.monitor.seen == 2  # explaining counts nothing


def test_a_drift_alarm_voids_the_guarantee(routing: CalibratedRouting, tmp_path: Path) -> None:
    table = CalibratedRouting.load(routing.save(tmp_path / "r.json"))
    router = ModelRouter(providers(), routes=table)

    async def ask(times: int) -> Any:
        for _ in range(times):
            answer = await router.route(say(EASY))
        return answer

    asyncio.run(ask(499))
    assert router.explain(say(EASY)).chosen == "one/small"
    with pytest.warns(UserWarning, match="guarantee .* is void, and all goes to large"):
        last = asyncio.run(ask(1))
    assert last.content == "large"
    assert last.metadata["route"]["rule"] == "drift"
    assert router.explain(say(EASY)).chosen == "two/large"
    table.monitor.reset()
    assert router.explain(say(EASY)).chosen == "one/small"


def test_prompts_that_never_vary_in_one_number_are_routed() -> None:
    data = synthetic(scores={"small": np.ones(960), "large": np.ones(960)})
    found = calibrate(data, penalty=1.0, strong="large")
    assert found.choose(EASY, observe=True).models[0] == "small"


def test_a_router_without_its_models_is_refused(routing: CalibratedRouting) -> None:
    with pytest.raises(UsageError, match="asks 'large', and no provider"):
        ModelRouter({"one": FakeProvider(["x"], model="small")}, routes=routing)


def test_model_router_calibrates() -> None:
    assert ModelRouter.calibrate(synthetic(), penalty=1.0).status is Status.ROUTE


def test_scoring_500_tokens_takes_less_than_a_millisecond(routing: CalibratedRouting) -> None:
    """The 99th percentile where nothing else runs; here of the faster half, as others use the machine."""
    random = np.random.default_rng(0)
    words = [term for term in routing.scorer.terms if " " not in term]
    prompts = [" ".join(random.choice(words, 380)) + " why?" for _ in range(200)]
    times = []
    for prompt in prompts:
        start = time.perf_counter()
        routing.score(prompt)
        times.append(time.perf_counter() - start)
    assert np.median(times) < 0.002


def test_the_scorer_is_the_pipeline_of_scikit_learn() -> None:
    """The same features, TF-IDF, logistic regression and Platt's line, built of its own parts."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    from llmbench.routing.success_models import FEATURE_WEIGHT, fit_success, texts_of
    from llmbench.routing.text_features import simple_features

    known = gsm8k()
    train, new = range(600), range(600, 900)
    prompts = [known.prompts[i] for i in train]
    fitted = fit_success(texts_of(prompts), known.scores[:600], known.models, np.arange(600), penalty=0.3)

    def analyse(text: str) -> list[str]:
        return terms_of(words_of(text))

    def counts(texts: list[str]) -> Any:
        return np.array([simple_features(text, words_of(text)) for text in texts])

    vectorizer = TfidfVectorizer(analyzer=analyse, min_df=2, sublinear_tf=True)
    scaler = StandardScaler().fit(counts(prompts))

    def matrix(texts: list[str], terms: Any) -> Any:
        scaled = np.clip(scaler.transform(counts(texts)), -4, 4) * FEATURE_WEIGHT
        return hstack([terms, csr_matrix(scaled)]).tocsr()

    seen = matrix(prompts, vectorizer.fit_transform(prompts))
    unseen_texts = [known.prompts[i] for i in new]
    unseen = matrix(unseen_texts, vectorizer.transform(unseen_texts))
    for column in range(2):
        model = LogisticRegression(C=0.3, max_iter=5000).fit(seen, known.scores[:600, column])
        decisions = model.decision_function(unseen)
        ours = np.array([fitted.scorer.log_odds(text)[column] for text in unseen_texts])
        slope, offset = np.polyfit(decisions, ours, 1)  # Platt's line
        assert slope > 0
        np.testing.assert_allclose(ours, slope * decisions + offset, rtol=0, atol=1e-9)
        chances = np.array([fitted.scorer.success(text)[column] for text in unseen_texts])
        np.testing.assert_allclose(chances, 1 / (1 + np.exp(-slope * decisions - offset)), rtol=0, atol=1e-9)


def test_platts_line_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    from llmbench.routing.success_models import _line

    random = np.random.default_rng(6)
    x = random.normal(3, 2, size=400)
    y = (random.random(400) < 1 / (1 + np.exp(1 - 0.5 * x))).astype(float)
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(x[:, None], y)
    assert _line(x, y) == pytest.approx((model.coef_[0, 0], model.intercept_[0]), abs=1e-5)


def test_gsm8k_beats_prompt_length() -> None:
    """One nested cross-validation with a fixed penalty; docs/routing_calibration.md has the repeated one."""
    from llmbench.routing.label_needs import unseen_chances

    known = gsm8k()
    chances = unseen_chances(known, penalty=0.3, folds=4)
    found = evaluate(chances[:, 1] - chances[:, 0], *known.scores.T, prompts=known.prompts, bootstraps=200)
    assert found.policy("prompt length").apgr == pytest.approx(0.598, abs=0.001)
    assert found.apgr > 0.64
    assert found.policy("prompt length").difference_interval.low > 0
