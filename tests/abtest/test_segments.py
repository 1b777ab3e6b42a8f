from __future__ import annotations

from llmbench.abtest import Plan
from llmbench.abtest.segments import segment_effects
from tests.abtest.made import counted, units_of

PLAN = Plan("mail-7", control="gpt-4o")
HALF = ({"gpt-4o": 0.5, "mixtral": 0.5},)


def test_segments_of_one_effect_do_not_differ() -> None:
    counts = counted(units_of({"gpt-4o": 0.05, "mixtral": 0.05}, 12_000, weights=HALF))
    found = segment_effects(counts, PLAN, ["mixtral"])
    assert {e.segment for e in found.effects} == {"saas", "retail", "health"}
    (interaction,) = found.interactions
    assert interaction.segments == 3
    assert interaction.p_value > 0.05
    assert all(e.p_adjusted >= e.p_value for e in found.effects)
    assert all(e.ratio_ci.low < e.ratio < e.ratio_ci.high for e in found.effects)


def test_a_segment_of_another_effect_is_found() -> None:
    counts = counted(units_of({"gpt-4o": 0.06, "mixtral": 0.06}, 20_000, weights=HALF, segment_effect=0.4))
    (interaction,) = segment_effects(counts, PLAN, ["mixtral"]).interactions
    assert interaction.p_value < 0.001


def test_small_segments_are_hidden() -> None:
    counts = counted(units_of({"gpt-4o": 0.05, "mixtral": 0.05}, 3000))
    found = segment_effects(counts, PLAN, ["mixtral"])
    hidden = {segment for _, segment in found.hidden}
    assert hidden
    assert hidden.isdisjoint(e.segment for e in found.effects)
    for e in found.effects:
        assert min(e.replies, e.control_replies) >= 15


def test_interaction_under_no_effect_keeps_its_level() -> None:
    found = []
    for seed in range(40):
        counts = counted(units_of({"gpt-4o": 0.08, "mixtral": 0.08}, 2500, weights=HALF, seed=seed))
        found += [i.p_value for i in segment_effects(counts, PLAN, ["mixtral"]).interactions]
    assert sum(p < 0.05 for p in found) <= 6
    assert 0.3 < sum(found) / len(found) < 0.7
