"""From a reading to a plan: what `plan` shows and `once` carries out. Nothing here writes."""

import math
from dataclasses import replace

from stocksync.core.catalogue import Catalogue
from stocksync.core.crosscheck import sample
from stocksync.core.cycle_plan import Plan, make_plan
from stocksync.core.guards import GuardContext
from stocksync.core.model import Cell, Change, Reading
from stocksync.ports import Snapshot
from stocksync.run.account import Account
from stocksync.run.catalogue_slices import Slice
from stocksync.run.compare import compare, is_divisible
from stocksync.run.focus import Focus, with_look_alikes_of
from stocksync.run.portions import Portions
from stocksync.run.prepared import CyclePlan
from stocksync.run.verification import Absent, ask_for_absent, cross_check
from stocksync.threads import off_loop


async def prepare(
    account: Account, focus: Focus, seed: int, until: float = math.inf, *, whole: bool = False
) -> Portions:
    """Ask Qoyod about doubts, derive the desired figures, compare, and weigh the result.

    From `until` on, by the monotonic clock, Qoyod is asked nothing more. With `whole` there is one portion.
    """
    absent = await ask_for_absent(account.source, focus.reading, focus.snapshot.products, account.clock, until)
    focus, layout = await _under_layout(account, await with_look_alikes_of(account, focus, absent.alive.values()))
    reading, rows = focus.reading, focus.rows
    prepared = CyclePlan(focus, reading, absent, layout=layout)
    # Where a person's decision stands, or is waited for, all is weighed cell by cell.
    divisible = not whole and not focus.snapshot.plans and is_divisible(account)
    portions = Portions(account, prepared, divisible=divisible)
    await portions.compare()
    count, after = account.settings.cross_check, focus.snapshot.checked_up_to
    chosen = await off_loop(rows, lambda: sample(reading, portions.planned, count, after, seed))
    prepared.checked = checked = await cross_check(account.source, chosen.products, account.clock, until)
    checked.up_to = chosen.after
    if checked.newer or checked.distrusted:
        prepared.reading = await off_loop(rows, checked.correct, reading)
        await portions.compare()
    await portions.weigh()
    return portions


async def prepare_products(account: Account, reading: Reading, snapshot: Snapshot) -> CyclePlan:
    """Prepare what look-ups showed: no conclusion from absence, and what a plan holds stays held."""
    absent = Absent()
    focus, layout = await _under_layout(account, Focus(reading, snapshot, Catalogue(b"", {})))
    snapshot = focus.snapshot
    desires, found = await compare(account, Slice(reading, snapshot, absent))
    plan = Plan(await _within_guards(account, found.changes, snapshot))
    return CyclePlan(focus, reading, absent, desires=desires, found=found, plan=plan, layout=layout)


async def _under_layout(account: Account, focus: Focus) -> tuple[Focus, str | None]:
    """Forget what the target made of figures under another layout: under this one it may keep them."""
    layout = (await account.capabilities()).layout
    if layout == focus.snapshot.layout:
        return focus, None
    known = focus.snapshot.cells
    cells = await off_loop(focus.rows, lambda: {cell: one._replace(sent=None) for cell, one in known.items()})
    return replace(focus, snapshot=replace(focus.snapshot, cells=cells)), layout


async def _within_guards(account: Account, changes: list[Change], snapshot: Snapshot) -> tuple[Change, ...]:
    """Leave to the next cycle what, with all that look-ups pushed since the last one, is more than the guards allow."""
    decided_on = frozenset[Cell]().union(*(plan.cells for plan in snapshot.plans))
    changes = [change for change in changes if change.cell not in decided_on]
    history = await account.state.guard_history(account.name)
    if not history.weighed:
        # No cycle has seen the whole of this target yet, so nothing says whether this is one zero or all of them.
        return tuple(change for change in changes if not change.kind.destructive)
    cells = {change.cell for change in changes}
    before = [change for change in history.looked_up if change.cell not in cells]
    first = frozenset(change.cell for change in changes if change.before is None)
    facts = GuardContext(account.name, account.clock.now(), history.managed, first)
    plan = make_plan(sorted([*before, *changes]), (), account.limits, facts)
    return tuple(change for change in plan.apply if change.cell in cells)
