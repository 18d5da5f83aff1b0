"""Mistakes planted one at a time: the simulation must notice each, or it proves nothing."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from stocksync.core import absence, cycle_plan, desired_state, guards
from stocksync.core.desired_state import DesiredCell
from stocksync.core.model import Kind
from stocksync.memory import MemoryState
from stocksync.memory import changes as effects
from stocksync.qoyod import paging
from stocksync.qoyod.wire import Page
from stocksync.run import compare, prepared, verification, weighing, writer
from stocksync.run.writer import Writer

Plant = Callable[[pytest.MonkeyPatch], None]


async def _forget(*_args: object) -> None:
    """Do nothing."""


def writes_without_intents(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryState, "intend", _forget)


def takes_absence_for_zero(patch: pytest.MonkeyPatch) -> None:
    derive = desired_state.desires_of

    def derive_zero(products: Any, memory: Any, rules: Any) -> Any:
        desires = derive(products, memory, rules)
        for cell in desires.unknown:
            desires.wants[cell] = DesiredCell(cell, memory[cell].sku, memory[cell].parts, Decimal(0))
        desires.unknown = []
        return desires

    patch.setattr(compare, "desires_of", derive_zero)


def asks_no_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Writer, "_fence", _forget)


def deletes_what_one_reading_lacks(patch: pytest.MonkeyPatch) -> None:
    async def all_gone(asking: Any, frames: Any) -> None:
        asking.answers = {suspect: None for frame in frames for suspect in frame}

    patch.setattr(absence, "SUSPECT_AFTER", 1)
    patch.setattr(verification._Asking, "ask", all_gone)


def writes_what_the_cross_check_distrusts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verification.CrossCheckResult, "correct", lambda _checked, reading: reading)


def lets_the_older_of_two_rows_win(patch: pytest.MonkeyPatch) -> None:
    def newest_first(items: Any, key: Any = None, **how: Any) -> list[Any]:
        found = sorted(items, key=key, **how)
        return found[::-1] if found and isinstance(found[0], Page) else found

    patch.setattr(paging, "sorted", newest_first, raising=False)


def holds_no_removals_when_the_catalogue_falls(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(guards._STOPS, guards.Guard.TOTAL_FALL, {Kind.ZERO})


def never_weighs_zeroes(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(guards._STOPS, guards.Guard.ZEROED, set())


def never_weighs_deletions(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(guards._STOPS, guards.Guard.DELETED, set())


def uses_an_approval_up_by_the_attempt(patch: pytest.MonkeyPatch) -> None:
    intend = MemoryState.intend

    async def spend(self: MemoryState, lease: Any, cycle_id: str, changes: Any, read: Any) -> None:
        await intend(self, lease, cycle_id, changes, read)
        for change in changes:
            effects.use_up(self.store.of(lease.account), change)

    patch.setattr(MemoryState, "intend", spend)


def lets_a_part_of_a_reading_end_decisions(patch: pytest.MonkeyPatch) -> None:
    plan = cycle_plan.make_plan

    def sure(changes: Any, negative: Any, limits: Any, facts: Any, plans: Any = ()) -> Any:
        return plan(changes, negative, limits, replace(facts, complete=True), plans)

    patch.setattr(weighing, "make_plan", sure)
    patch.setattr(prepared.CyclePlan, "complete", True)


def writes_other_figures_than_were_approved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cycle_plan, "_key", lambda change: (change.cell, "", ""))
    patch.setattr(cycle_plan, "_is_as_shown", lambda _change, _shown: True)


def releases_a_destruction_that_has_grown(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cycle_plan, "all", any, raising=False)


def acknowledges_before_the_target_is_written(patch: pytest.MonkeyPatch) -> None:
    commit = Writer._commit

    async def early(self: Writer, batch: Any) -> Any:
        if self._account.shared:
            return await commit(self, batch)
        written = writer.BatchResult(applied=list(batch))
        await self._account.state.acknowledge(self._lease, self._cycle_id, written)
        return await self._account.target.write(batch, self._fence)

    patch.setattr(Writer, "_commit", early)


RARE: list[Plant] = [lets_the_older_of_two_rows_win]
"""Noticed too, but only within hundreds of worlds: for the soak."""
PLANTED: list[Plant] = [
    writes_without_intents,
    takes_absence_for_zero,
    asks_no_fence,
    deletes_what_one_reading_lacks,
    writes_what_the_cross_check_distrusts,
    holds_no_removals_when_the_catalogue_falls,
    never_weighs_zeroes,
    never_weighs_deletions,
    acknowledges_before_the_target_is_written,
    uses_an_approval_up_by_the_attempt,
    lets_a_part_of_a_reading_end_decisions,
    writes_other_figures_than_were_approved,
    releases_a_destruction_that_has_grown,
]
CAUGHT: dict[Plant, int] = {
    writes_without_intents: 13,
    takes_absence_for_zero: 38,
    asks_no_fence: 32,
    deletes_what_one_reading_lacks: 19,
    writes_what_the_cross_check_distrusts: 37,
    holds_no_removals_when_the_catalogue_falls: 7,
    never_weighs_zeroes: 7,
    never_weighs_deletions: 4,
    acknowledges_before_the_target_is_written: 0,
    uses_an_approval_up_by_the_attempt: 1,
    lets_a_part_of_a_reading_end_decisions: 7,
    writes_other_figures_than_were_approved: 21,
    releases_a_destruction_that_has_grown: 1,
}
"""A world in which each was noticed: looked at first, as to find it takes a minute. A change may make it another."""
