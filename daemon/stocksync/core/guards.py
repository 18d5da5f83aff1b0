"""Limits on destructive change: what exceeds one waits for a person."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from statistics import median

from stocksync.core.model import Cell, Change, Kind, show


class Guard(StrEnum):
    """What can hold a change; where several do, the first named here gives the reason."""

    CROSS_CHECK = "cross_check"
    CHANGED = "changed"
    TOTAL_FALL = "total_fall"
    ZEROED = "zeroed"
    DELETED = "deleted"
    NEGATIVE = "negative"


class Decision(StrEnum):
    """What a person said to a held plan."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"


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
class HeldChange:
    """A change that waits, and which guard says so."""

    change: Change
    guard: Guard


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """The changes of one account that wait for a person, in key order."""

    account: str
    plan_id: str
    """A fingerprint of account, cells and figures: another plan has another id."""
    created_at: datetime
    reasons: Mapping[str, str]
    """Guard to the sentence with its figures."""
    changes: tuple[HeldChange, ...]
    decision: Decision = Decision.WAITING
    decided_by: str = ""
    decided_at: datetime | None = None


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
    standing: HeldPlan | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A change set after the guards."""

    apply: tuple[Change, ...]
    held: HeldPlan | None = None
    guards: Mapping[str, int] = field(default_factory=dict)
    """Guard to the number of cells it holds."""


def make_plan(changes: Sequence[Change], negative: Sequence[Change], limits: Limits, facts: GuardContext) -> Plan:
    """Split a change set into what is applied and what waits; what a person approved goes through as it was shown."""
    released, changes = _released(changes, facts.standing)
    more, negative = _released(negative, facts.standing)
    reasons = _exceeded(changes, limits, facts)
    held, apply = _split(changes, reasons, facts)
    held += [HeldChange(change, Guard.NEGATIVE) for change in negative]
    if negative:
        reasons[Guard.NEGATIVE] = f"{len(negative)} figures are below zero and policy.negative is hold"
    apply = sorted([*apply, *released, *more])
    if not held:
        return Plan(tuple(apply))
    return _weigh(_hold(held, reasons, facts), apply, facts.standing)


def _released(changes: Sequence[Change], standing: HeldPlan | None) -> tuple[list[Change], list[Change]]:
    """Part the changes that were approved one by one, to the figure, from the rest."""
    approved = _approved(standing, _ONE_BY_ONE)
    parted: tuple[list[Change], list[Change]] = ([], [])
    for change in changes:
        parted[_identity(change) not in approved].append(change)
    return parted


def _approved(standing: HeldPlan | None, guards: Collection[Guard]) -> set[tuple[int, str, str, str]]:
    if standing is None or standing.decision is not Decision.APPROVED:
        return set()
    return {_identity(one.change) for one in standing.changes if one.guard in guards}


def _identity(change: Change) -> tuple[int, str, str, str]:
    return change.product_id, change.place, change.sku, show(change.after)


def _exceeded(changes: Sequence[Change], limits: Limits, facts: GuardContext) -> dict[Guard, str]:
    reasons: dict[Guard, str] = {}
    if facts.distrusted:
        reasons[Guard.CROSS_CHECK] = facts.distrusted
    shares = [
        (Guard.CHANGED, sum(change.cell not in facts.first for change in changes), limits.changed, "changed"),
        (Guard.ZEROED, _count(changes, {Kind.ZERO}), limits.zeroed, "dropped to zero"),
        (Guard.DELETED, _count(changes, _REMOVALS), limits.deleted, "were removed"),
    ]
    for guard, count, limit, what in shares:
        if facts.managed and facts.managed >= limits.minimum_cells and count > limit * facts.managed:
            share = f"{count / facts.managed:.1%}"
            reasons[guard] = f"{count} of {facts.managed} cells ({share}) {what}, the limit is {limit:.0%}"
    usual = median(facts.recent_totals) if facts.recent_totals else 0
    if facts.managed >= limits.minimum_cells and _fell(facts.total, usual, limits.total_fall):
        fall = f"from {usual:g} to {facts.total}"
        reasons[Guard.TOTAL_FALL] = f"the catalogue fell {fall} products, the limit is {limits.total_fall:.0%}"
    return reasons


def _fell(total: int | None, usual: float, limit: float) -> bool:
    return total is not None and total < usual * (1 - limit)


def _count(changes: Sequence[Change], kinds: set[Kind]) -> int:
    return sum(change.kind in kinds for change in changes)


def _split(
    changes: Sequence[Change], reasons: Mapping[Guard, str], facts: GuardContext
) -> tuple[list[HeldChange], list[Change]]:
    held: list[HeldChange] = []
    apply: list[Change] = []
    stops = [(guard, kinds) for guard, kinds in _STOPS.items() if guard in reasons]
    for change in changes:
        spared = {Guard.CHANGED} if change.cell in facts.first else set()
        guard = next((guard for guard, kinds in stops if change.kind in kinds and guard not in spared), None)
        if guard is None:
            apply.append(change)
        else:
            held.append(HeldChange(change, guard))
    return held, apply


def _hold(held: list[HeldChange], reasons: Mapping[Guard, str], facts: GuardContext) -> HeldPlan:
    changes = tuple(sorted(held, key=lambda one: one.change.cell))
    binding = {one.guard for one in changes}
    return HeldPlan(
        account=facts.account,
        plan_id=_fingerprint(facts.account, changes),
        created_at=facts.now,
        reasons={guard.value: reason for guard, reason in reasons.items() if guard in binding},
        changes=changes,
    )


def _weigh(plan: HeldPlan, apply: list[Change], standing: HeldPlan | None) -> Plan:
    if {_identity(one.change) for one in plan.changes} == _approved(standing, set(Guard) - _ONE_BY_ONE):
        return Plan(tuple(sorted([*apply, *(one.change for one in plan.changes)])))
    if standing is not None and standing.plan_id == plan.plan_id:
        plan = replace(
            plan, created_at=standing.created_at, decision=standing.decision,
            decided_by=standing.decided_by, decided_at=standing.decided_at,
        )  # fmt: skip
    guards: dict[str, int] = {}
    for one in plan.changes:
        guards[one.guard.value] = guards.get(one.guard.value, 0) + 1
    return Plan(tuple(apply), plan, guards)


def _fingerprint(account: str, changes: Sequence[HeldChange]) -> str:
    digest = blake2b(account.encode(), digest_size=5)
    for one in changes:
        digest.update("\0".join(map(str, ("", *_identity(one.change)))).encode())
    return digest.hexdigest()


_ONE_BY_ONE = {Guard.CHANGED, Guard.NEGATIVE}
"""What these hold is no deed in common: on a busy shop the plan is never twice the same, its single changes are."""
_REMOVALS = {Kind.DEACTIVATE, Kind.DELETE}
_DESTRUCTIVE = _REMOVALS | {Kind.ZERO}
_STOPS = {
    Guard.CROSS_CHECK: set(Kind),
    Guard.CHANGED: set(Kind),
    Guard.TOTAL_FALL: _DESTRUCTIVE,
    Guard.ZEROED: {Kind.ZERO},
    Guard.DELETED: _REMOVALS,
}
