"""What an experiment comes down to: counts and sums, which is all that reaches Python.

A *unit* is a lead or an account; it belongs to the arm that it was assigned to. It is *mature* once the
reply window after its first delivered send is over at `as_of`. All counts are of mature units, but for
`AssignedCounts`. A *stratum* is what assignment was made within: an epoch of weights, and a campaign where
assignment was within campaigns; the empty text where there is one only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from llmbench.shown import shown

__all__ = [
    "ENOUGH_REPLIES",
    "AssignedCounts",
    "AssignedDayCounts",
    "ClusterCosts",
    "ClusterProducts",
    "ContextCounts",
    "CostCounts",
    "Counts",
    "DayCounts",
    "Excluded",
    "GuardrailCounts",
    "SegmentCounts",
    "UnitSums",
]

ENOUGH_REPLIES = 30
"""From so many replies of all arms on, the rate that came is a better guide than the expected one."""


class UnitSums(NamedTuple):
    """Sums over the mature units of one arm in one stratum."""

    arm: str
    stratum: str
    units: int
    replied: int
    """Units with at least one human reply within the window."""
    messages: int
    """Delivered messages."""
    replies: int
    """Human replies within the window; a unit may have several."""
    messages_squared: float
    replies_squared: float
    messages_replies: float
    """Sum over units of messages times replies."""
    costed_units: int
    """Units whose cost is wholly known; the sums of cost below are over these."""
    costed_replied: int
    cost_usd: float
    cost_usd_squared: float
    cost_usd_replied: float
    """Cost of the costed units that replied."""
    served_by_other: int | None
    """Messages that another model than the assigned one wrote; None where the source does not say."""


class AssignedCounts(NamedTuple):
    """All units assigned to an arm in a stratum, sent or not, mature or not: what the split is judged by."""

    arm: str
    stratum: str
    units: int
    weight: float | None
    """The recorded probability of the arm in this stratum; None where none is recorded."""
    last_assigned: datetime | None


class AssignedDayCounts(NamedTuple):
    """All units assigned to an arm in a stratum by the day (UTC) of their assignment, where recorded."""

    arm: str
    stratum: str
    day: date
    units: int


class DayCounts(NamedTuple):
    """Mature units by the day (UTC) of their first delivered send."""

    arm: str
    stratum: str
    day: date
    units: int
    replied: int
    messages: int
    cost_usd: float
    """Of the units whose cost is known."""
    started: int
    """Units, mature or not, whose first delivered send was that day."""


class ClusterProducts(NamedTuple):
    """Sums over clusters (mailboxes, domains) of products between two cells (arm and stratum).

    With n the mature units and x those that replied of a cluster in a cell: enough for the cluster-robust
    variance of any smooth function of the cells' rates, also where one cluster has units of both arms.
    Every ordered pair of cells is there, a cell with itself too.
    """

    arm: str
    stratum: str
    other_arm: str
    other_stratum: str
    clusters: int
    """Clusters with units in both cells."""
    units_units: float
    units_replied: float
    """Sum of n (first cell) times x (other cell)."""
    replied_replied: float
    arms_clusters: int = 0
    """Clusters with units of either arm, in any stratum; 0 where they were not counted."""


class ClusterCosts(NamedTuple):
    """Sums over the clusters of one arm, in all strata, of the units whose cost is known.

    With n those units, x the replied among them and c their cost in a cluster.
    """

    arm: str
    clusters: int
    units_units: float
    replied_replied: float
    cost_cost: float
    units_replied: float
    units_cost: float
    replied_cost: float


class SegmentCounts(NamedTuple):
    """Mature units by a column of the source."""

    column: str
    segment: str
    arm: str
    stratum: str
    units: int
    replied: int


class GuardrailCounts(NamedTuple):
    """Mature units with an unwanted event: an unsubscribe, a complaint."""

    guardrail: str
    arm: str
    stratum: str
    units: int
    events: int
    """Units with at least one."""


class CostCounts(NamedTuple):
    """Mature units of like cost, for resampling units: the cost of each is the mean of its bucket."""

    arm: str
    stratum: str
    replied: bool
    units: int
    cost_usd: float | None
    """Mean of the bucket; None for the units whose cost is not known."""


class ContextCounts(NamedTuple):
    """Mature units that a policy cannot tell apart: same context, arm, logged probability and fold."""

    context: Mapping[str, str]
    """Columns that a policy may look at, such as the task type or the segment."""
    arm: str
    probability: float | None
    fold: int
    """By a hash of the unit, for cross-fitting."""
    replied: bool
    units: int
    messages: int
    cost_usd: float | None
    """Sum over the units; None if not all are known."""


class Excluded(NamedTuple):
    """Rows or units that are in no count above, and why."""

    reason: str
    rows: int


@shown
@dataclass(frozen=True, slots=True)
class Counts:
    """All that is read of one experiment."""

    experiment_id: str
    as_of: datetime
    """Aware. What happened later is not in here."""
    window_days: float
    arms: tuple[UnitSums, ...]
    assigned: tuple[AssignedCounts, ...]
    days: tuple[DayCounts, ...] = ()
    clusters: tuple[ClusterProducts, ...] = ()
    segments: tuple[SegmentCounts, ...] = ()
    guardrails: tuple[GuardrailCounts, ...] = ()
    costs: tuple[CostCounts, ...] = ()
    contexts: tuple[ContextCounts, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    data_until: datetime | None = None
    """Of the newest row that was read."""
    notes: tuple[str, ...] = ()
    """Sentences on what was read, such as rows of cost that belong to no unit."""
    inputs: Mapping[str, int | None] = field(default_factory=dict)
    """Files that were read, as they were named, and their rows."""
    assigned_days: tuple[AssignedDayCounts, ...] = ()
    """Empty where the source does not say when units were assigned."""
    segment_clusters: Mapping[tuple[str, str], tuple[ClusterProducts, ...]] = field(default_factory=dict)
    """As `clusters`, of the units of a segment, by column and segment."""
    guardrail_clusters: Mapping[str, tuple[ClusterProducts, ...]] = field(default_factory=dict)
    """As `clusters`, with the units that have the unwanted event for those that replied, by guardrail."""
    cluster_costs: tuple[ClusterCosts, ...] = ()
    simulated: bool = False
    """The source says that it is simulated: every report of it must say so too."""

    @property
    def arm_names(self) -> tuple[str, ...]:
        """The arms, in order of their names."""
        return tuple(sorted({each.arm for each in self.assigned} | {each.arm for each in self.arms}))
