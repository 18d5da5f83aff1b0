"""Limits on destructive change: which guards a change set exceeds, and which changes each of them holds."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import NamedTuple

from stocksync.core.model import Cell, Change, Kind


class Guard(StrEnum):
    """What can hold a change, the strictest first; several may hold the same one."""

    CROSS_CHECK = "cross_check"
    ZEROED = "zeroed"
    DELETED = "deleted"
    TOTAL_FALL = "total_fall"
    CHANGED = "changed"
    NEGATIVE = "negative"


ONE_BY_ONE = frozenset({Guard.CHANGED, Guard.NEGATIVE})
"""What only these hold is released change by change: on a busy shop the plan is never twice the same."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Shares of the managed cells, 0 to 1; below `minimum_cells` managed cells none is ever exceeded."""

    zeroed: float = 0.15
    deleted: float = 0.15
    changed: float = 0.60
    total_fall: float = 0.30
    minimum_cells: int = 20
    quarantined: float = 0.05


@dataclass(frozen=True, slots=True)
class GuardContext:
    """What the guards weigh a change set against."""

    account: str
    now: datetime
    managed: int
    """Cells that had a figure before."""
    first: frozenset[Cell] = frozenset()
    """Cells met for the first time: they cannot have changed too much yet."""
    total: int | None = None
    recent_totals: Sequence[int] = ()
    distrusted: str = ""
    """Why the cross-check does not believe this reading; empty where it does."""
    complete: bool = True
    """Whether the reading shows everything: only then may a held plan be replaced or withdrawn."""
    set_aside: frozenset[Cell] = frozenset()
    """Cells that wait in quarantine: what was decided about them stands meanwhile."""
    cause: str = "poll"
    """Whose plan this is: a poll's, or the healing of an audit (`heal`)."""


class Weight(NamedTuple):
    """How much a change set does, in cells."""

    zeroed: int = 0
    deleted: int = 0
    changed: int = 0
    """But for those met for the first time."""


def weigh(changes: Iterable[Change], first: Collection[Cell]) -> Weight:
    """Count what the guards limit; `first` are the cells met for the first time."""
    kinds: Counter[Kind] = Counter()
    changed = 0
    for change in changes:
        kinds[change.kind] += 1
        changed += change.cell not in first
    return Weight(kinds[Kind.ZERO], kinds[Kind.DEACTIVATE] + kinds[Kind.DELETE], changed)


def exceeded(changes: Sequence[Change], limits: Limits, facts: GuardContext, *, left_out: int = 0) -> dict[Guard, str]:
    """Name the guards that a change set exceeds, each with its sentence; `left_out`: cells that a person decided on."""
    return exceeded_by(weigh(changes, facts.first), limits, facts, left_out=left_out)


def exceeded_by(weight: Weight, limits: Limits, facts: GuardContext, *, left_out: int = 0) -> dict[Guard, str]:
    """Do the same for changes that were counted, and are not at hand."""
    reasons: dict[Guard, str] = {}
    if facts.distrusted:
        reasons[Guard.CROSS_CHECK] = facts.distrusted
    shares = [
        (Guard.ZEROED, weight.zeroed, limits.zeroed, "dropped to zero"),
        (Guard.DELETED, weight.deleted, limits.deleted, "were removed"),
        (Guard.CHANGED, weight.changed, limits.changed, "changed"),
    ]
    enough = facts.managed > 0 and facts.managed >= limits.minimum_cells
    # What was rejected keeps its figure and is no change: a later wipe is measured by the cells that are left.
    managed = max(facts.managed - left_out, 0)
    for guard, count, limit, what in shares:
        if enough and count > limit * managed:
            share = f" ({count / managed:.1%})" if managed else ""
            reasons[guard] = f"{count} of {managed} cells{share} {what}, the limit is {limit:.0%}"
    usual = median(facts.recent_totals) if facts.recent_totals else 0
    fell = facts.total is not None and facts.total < usual * (1 - limits.total_fall)
    if fell and facts.managed >= limits.minimum_cells:
        fall = f"from {usual:g} to {facts.total}"
        reasons[Guard.TOTAL_FALL] = f"the catalogue fell {fall} products, the limit is {limits.total_fall:.0%}"
    return reasons


def holding(change: Change, reasons: Mapping[Guard, str], facts: GuardContext) -> tuple[Guard, ...]:
    """Name the exceeded guards that hold a change, the strictest first."""
    spared = {Guard.CHANGED} if change.cell in facts.first else set()
    return tuple(
        guard for guard in Guard if guard in reasons and guard not in spared and change.kind in _STOPS.get(guard, ())
    )


_REMOVALS = {Kind.DEACTIVATE, Kind.DELETE}
_DESTRUCTIVE = _REMOVALS | {Kind.ZERO}
_STOPS = {
    Guard.CROSS_CHECK: set(Kind),
    Guard.ZEROED: {Kind.ZERO},
    Guard.DELETED: _REMOVALS,
    Guard.TOTAL_FALL: _DESTRUCTIVE,
    Guard.CHANGED: set(Kind),
}
