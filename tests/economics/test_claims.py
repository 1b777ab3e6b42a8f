from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmbench.catalog.claims import ClaimFacts, document_claims
from llmbench.economics import ClaimAudit, audit_claims
from llmbench.economics.claims import check_claim
from llmbench.errors import UsageError


@pytest.fixture(scope="module")
def audit() -> ClaimAudit:
    return audit_claims()


@pytest.fixture(scope="module")
def right(throughput_data: Path) -> dict[str, dict[str, Any]]:
    rows = json.loads((throughput_data / "claims.json").read_text(encoding="utf-8"))["claims"]
    return {row["id"]: row for row in rows}


def _kind(word: str) -> str | None:
    """The study's verdicts in our four words; None: it gives none of them."""
    for begin, kind in (
        ("holds", "holds"),
        ("WRONG", "wrong"),
        ("NOT on a T4", "wrong"),
        ("IMPOSSIBLE", "impossible"),
        ("UNVERIFIED", "cannot be checked"),
        ("not a cost claim", "cannot be checked"),
    ):
        if word.startswith(begin):
            return kind
    return None


def test_verdicts_agree_with_the_study(audit: ClaimAudit, right: dict[str, dict[str, Any]]) -> None:
    ours = {row.id: row.verdict for row in audit}
    told = {name: _kind(row["verdict"]) for name, row in right.items()}
    assert {name for name in told if name not in ours} == {"prices", "seven-open"}  # ours are split, or none
    for name, kind in told.items():
        if name in ours and kind is not None:
            assert ours[name] == kind, name


def test_derived_numbers_agree_with_the_study(audit: ClaimAudit, right: dict[str, dict[str, Any]]) -> None:
    for name, row in right.items():
        if name.startswith("cost-"):
            assert audit[name].derived == pytest.approx(row["right"]["usd_month"], abs=1e-9)
    assert audit["hybrid"].derived == pytest.approx(right["hybrid"]["right"]["usd_month"])
    assert audit["hybrid"].detail == pytest.approx({"gpt-4o": 65, "mixtral-8x7b": 33.6})
    assert audit["hours"].derived == pytest.approx(right["hours"]["right"]["usd_month_730h"])
    for name in ("breakeven-20k", "breakeven-full"):
        expected = right[name]["right"]["break_even_messages_month"]
        assert audit[name].detail == pytest.approx(expected, abs=0.6)
        assert audit[name].derived == pytest.approx(expected["llama-3.1-8b"], abs=0.6)
    savings = right["savings-530"]["right"]
    assert audit["savings-530"].derived == pytest.approx(savings["vs_llama_8b_api"])
    assert audit["savings-530"].detail["llama-3.1-70b"] == pytest.approx(savings["vs_llama_70b_api"])
    assert audit["savings-530"].detail["gpt-4"] == pytest.approx(savings["vs_gpt4"])
    share = [100 * audit["utilisation-100k"].detail[end] for end in ("low", "high")]
    assert share == pytest.approx(right["utilisation-100k"]["right"]["share_of_one_L4_pct"], abs=0.05)
    assert audit["fallback-50"].detail["share"] == pytest.approx(0.0308, abs=1e-4)
    assert audit["70b-380"].derived == pytest.approx(1014.7)
    assert audit["stage-500k"].derived == pytest.approx(
        right["stage-500k"]["right"]["self_host_70b_min_single_replica"]
    )
    assert audit["enterprise"].detail["dearer"] == pytest.approx(6117, abs=1)


def test_every_claim_of_the_table_and_of_the_stages_is_there(audit: ClaimAudit) -> None:
    assert len(audit) == len(document_claims()[1]) >= 45
    assert sum(audit.counts().values()) == len(audit)
    assert {row.where.split(":")[0] for row in audit} >= {
        "Overview", "Architecture", "Cost comparison", "Phase 2", "Phase 3", "Phase 4", "Phase 5", "Stages",
    }  # fmt: skip
    assert all(row.derivation for row in audit)
    # A verdict is never given without a number or a reason.
    assert all(
        row.derived is not None or row.verdict in {"cannot be checked", "holds", "wrong"} for row in audit
    )


def test_times_cheaper_is_impossible_where_no_mix_gives_it(audit: ClaimAudit) -> None:
    assert audit["call-8b-14x"].verdict == "impossible"
    assert audit["call-8b-14x"].detail["at_most"] == pytest.approx(3)
    assert audit["call-8x7b-15x"].derived is not None
    assert audit["call-8x7b-15x"].derived < 1  # it is dearer
    assert audit["mixtral-8x22b-fifth"].verdict == "wrong"  # it is cheaper than claimed


def test_a_claim_holds_to_the_digits_it_is_given_in() -> None:
    document, _ = document_claims()
    near = ClaimFacts("x", "", "", "month", {"model": "gpt-4o"}, claimed=324.6, within=0.5)
    assert check_claim(near, document).verdict == "holds"
    assert (
        check_claim(
            ClaimFacts("x", "", "", "month", {"model": "gpt-4o"}, 324.4, within=0.5), document
        ).verdict
        == "wrong"
    )


def test_facts_that_cannot_be_checked_by_any_rule() -> None:
    document, _ = document_claims()
    with pytest.raises(UsageError, match="which there is not"):
        check_claim(ClaimFacts("x", "", "", "guess", {}), document)
    with pytest.raises(UsageError, match="does not know the model"):
        check_claim(ClaimFacts("x", "", "", "month", {"model": "mixtral-9x9b"}, 1.0), document)


def test_it_shows_itself_and_turns_into_pandas(audit: ClaimAudit) -> None:
    frame = audit.to_pandas()
    assert len(frame) == len(audit)
    assert frame.set_index("id").loc["cost-gpt-4", "derived"] == 2700
    assert "impossible" in audit._repr_html_()
    with pytest.raises(KeyError):
        audit["nothing"]
