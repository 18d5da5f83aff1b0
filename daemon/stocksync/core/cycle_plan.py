"""A change set after the guards: what is applied, what waits, and what a person's decisions do to both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from stocksync.core.guards import Guard, GuardContext, Limits, exceeded, holding
from stocksync.core.held_plan import Decision, HeldChange, HeldPlan, approval_of, by_guard, open_plan
from stocksync.core.model import Cell, Change, show


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a change set."""

    apply: tuple[Change, ...] = ()
    """What a person released bears the approval as its cause."""
    held: HeldPlan | None = None
    """What waits for a person."""
    holds: tuple[HeldChange, ...] = ()
    """Every change of this reading that is not applied, also what a person rejected."""
    silent: frozenset[Cell] = frozenset()
    """Of those the cells that nobody is asked about: rejected, or approved and not due in this reading."""
    lapsed: tuple[HeldPlan, ...] = ()
    """Decided plans, cut to what the facts no longer ask for."""
    released: frozenset[Cell] = frozenset()
    """Cells of `apply` that an approval covers."""

    @property
    def guards(self) -> dict[str, int]:
        """Guard to the number of changes it holds."""
        return by_guard(self.holds)

    @property
    def open_guards(self) -> dict[str, int]:
        """Guard to the number of changes that it holds and a person is asked about."""
        return by_guard(held for held in self.holds if held.change.cell not in self.silent)


def make_plan(
    changes: Sequence[Change],
    negative: Sequence[Change],
    limits: Limits,
    facts: GuardContext,
    plans: Iterable[HeldPlan] = (),
) -> Plan:
    """Split a change set into what is applied and what waits.

    What a person approved goes through exactly as it was shown; what a person rejected stays held, in silence, while
    it asks for the same figure. `plans` are the held plans as they stand.
    """
    mine = [plan for plan in plans if plan.cause == facts.cause]
    return _Planning(changes, negative, limits, facts, mine).plan()


class _Planning:
    def __init__(
        self,
        changes: Sequence[Change],
        negative: Sequence[Change],
        limits: Limits,
        facts: GuardContext,
        plans: Sequence[HeldPlan],
    ) -> None:
        self._limits, self._facts, self._plans = limits, facts, plans
        self._below = {change.cell for change in negative}
        self._approved = _decided(plans, Decision.APPROVED)
        self._rejected = _decided(plans, Decision.REJECTED)
        self._waiting = next((plan for plan in plans if plan.decision is Decision.WAITING), None)
        self._every = [*changes, *negative]

    def plan(self) -> Plan:
        rejected = [one for change in self._every if (one := self._rejection(change))]
        still = self._undecidable(_other_than(self._every, rejected))
        left = _other_than(self._every, [*rejected, *still])
        one_by_one = [change for change in left if (found := self._approval(change)) and found[1].one_by_one]
        released = {change.cell for change in one_by_one}
        left = [change for change in left if change.cell not in released]
        held, flowing = self._judge(left, len(rejected))
        whole = self._approved_whole(held)
        if whole:
            held, flowing = self._judge(_other_than(left, whole), len(rejected))
        apply = [*flowing, *one_by_one, *(one.change for one in whole)]
        return self._conclude(held, apply, rejected, still)

    def _rejection(self, change: Change) -> HeldChange | None:
        """Give what was rejected, where the facts are still the same; doubt about a reading ends with the doubt."""
        found = self._rejected.get(_key(change)) if self._rejected else None
        if found is None or not _is_as_shown(change, found[1].change):
            return None
        doubted = found[1].guards == (Guard.CROSS_CHECK,)
        return None if doubted and not self._facts.distrusted else replace(found[1], change=change)

    def _approval(self, change: Change) -> tuple[HeldPlan, HeldChange] | None:
        found = self._approved.get(_key(change)) if self._approved else None
        return found if found is not None and _is_as_shown(change, found[1].change) else None

    def _approved_whole(self, held: Sequence[HeldChange]) -> list[HeldChange]:
        """Give what destroys and was approved as it stands now, guard by guard: nothing new has joined it."""
        released: list[HeldChange] = []
        for guard in Guard:
            together = [one for one in held if one.strictest is guard and not one.one_by_one]
            if all(self._approval(one.change) for one in together):
                released += together
        return released

    def _undecidable(self, changes: Sequence[Change]) -> list[HeldChange]:
        """Keep what this reading must not touch: a doubted one, or one that lacks pages and so shows guards less."""
        partial, distrusted = not self._facts.complete, bool(self._facts.distrusted)
        if not partial and not distrusted:
            return []
        still: list[HeldChange] = []
        waiting = {held.change.cell: held for held in self._waiting.changes} if partial and self._waiting else {}
        for change in changes:
            held = waiting.get(change.cell)
            if found := self._approval(change):
                # Who approved what the cross-check held has seen the doubt; any other approval waits for its end.
                doubted = distrusted and Guard.CROSS_CHECK not in found[1].guards
                held = found[1] if doubted or (partial and not found[1].one_by_one) else None
            if held is not None:
                still.append(replace(held, change=change))
        return still

    def _judge(self, changes: Sequence[Change], left_out: int) -> tuple[list[HeldChange], list[Change]]:
        """Weigh a change set; those that the negative rule holds count only among themselves and the others."""
        ordinary = [change for change in changes if change.cell not in self._below]
        reasons = exceeded(ordinary, self._limits, self._facts, left_out=left_out)
        below = len(changes) - len(ordinary)
        together = exceeded(changes, self._limits, self._facts, left_out=left_out) if below else reasons
        self._reasons = {**together, **reasons}
        if below:
            figures = "1 figure is" if below == 1 else f"{below} figures are"
            self._reasons[Guard.NEGATIVE] = f"{figures} below zero and policy.negative is hold"
        held: list[HeldChange] = []
        flowing: list[Change] = []
        for change in changes:
            negative = change.cell in self._below
            exceeds = together if negative else reasons
            guards = holding(change, exceeds, self._facts) if exceeds else ()
            guards += (Guard.NEGATIVE,) if negative else ()
            if guards:
                held.append(HeldChange(change, guards))
            else:
                flowing.append(change)
        return held, flowing

    def _conclude(
        self, held: list[HeldChange], apply: list[Change], rejected: list[HeldChange], still: list[HeldChange]
    ) -> Plan:
        approvals = {change.cell: found[0] for change in apply if (found := self._approval(change))}
        marked = [
            replace(change, cause=approval_of(approvals[change.cell])) if change.cell in approvals else change
            for change in apply
        ]
        pending = {one.change.cell for one in still if self._approval(one.change)}
        silent = frozenset(pending | {one.change.cell for one in rejected})
        lapsed: list[HeldPlan] = []
        if self._facts.complete and not self._facts.distrusted:
            lasting = approvals.keys() | silent | self._facts.set_aside
            decided = [plan for plan in self._plans if plan.decision is not Decision.WAITING]
            lapsed = [cut for plan in decided if (cut := plan.only(plan.cells - lasting)).changes]
        return Plan(
            tuple(sorted(marked, key=attrgetter("cell"))),
            self._to_hold(held),
            tuple(sorted((*held, *rejected, *still), key=lambda one: one.change.cell)),
            silent,
            tuple(lapsed),
            frozenset(approvals),
        )

    def _to_hold(self, held: list[HeldChange]) -> HeldPlan | None:
        if not self._facts.complete and self._waiting is not None:
            return self._waiting
        if not held:
            return None
        earlier = [plan for plan in self._plans if plan.decision is not Decision.REJECTED]
        earlier.sort(key=lambda plan: plan.decision is not Decision.WAITING)
        facts = self._facts
        return open_plan(facts.account, held, self._reasons, cause=facts.cause, now=facts.now, earlier=earlier)


def _decided(
    plans: Iterable[HeldPlan], decision: Decision
) -> Mapping[tuple[Cell, str, str], tuple[HeldPlan, HeldChange]]:
    return {_key(held.change): (plan, held) for plan in plans if plan.decision is decision for held in plan.changes}


def _key(change: Change) -> tuple[Cell, str, str]:
    return change.cell, change.sku, show(change.after)


def _is_as_shown(change: Change, shown: Change) -> bool:
    # A crash between the write and its acknowledgement leaves the figure there already.
    return change.before in {shown.before, change.after}


def _other_than(changes: Iterable[Change], held: Iterable[HeldChange]) -> list[Change]:
    cells = {one.change.cell for one in held}
    if not cells:
        return list(changes)
    return [change for change in changes if change.cell not in cells]
