"""What a person must know of one cell besides its figures: its times, and why it is not as it should be."""

from datetime import datetime

from stocksync.core.confirmation import Times, times_of
from stocksync.core.drift import Cause
from stocksync.core.health import in_words
from stocksync.core.held_plan import Decision, HeldChange, HeldPlan
from stocksync.core.model import Cell, SnapshotCell, show
from stocksync.ports import Snapshot
from stocksync.run.account import Account


def times_in(snapshot: Snapshot, cell: Cell) -> Times:
    """Give when the cell's figure was last confirmed, and when it changed."""
    entry = snapshot.quarantine.get((cell.product_id, None))
    readable = entry is None or entry.side != "source"
    known = snapshot.products.get(cell.product_id)
    return times_of(snapshot.cells[cell], known, snapshot.last_complete, readable=readable)


def ago(account: Account, at: datetime) -> str:
    """Give an instant by its age: a sentence is read in any zone."""
    return f"{in_words(account.clock.now() - at)} ago"


def remark_on(account: Account, cell: Cell, snapshot: Snapshot) -> str:
    """Say that a cell is unknown, set aside, held, left over or altered, and why; "" where it is none of them."""
    remembered: SnapshotCell = snapshot.cells[cell]
    if remembered.unknown_since is not None:
        return f"unknown: Qoyod no longer shows it, since {ago(account, remembered.unknown_since)}"
    entry = snapshot.quarantine.get(cell) or snapshot.quarantine.get((cell.product_id, None))
    if entry is not None:
        times = f"{entry.attempts} attempt{'' if entry.attempts == 1 else 's'}"
        return f"quarantined ({entry.side}, {times}): {entry.reason}"
    for plan in snapshot.plans:
        for held in plan.changes:
            if held.change.cell == cell:
                return _held(account, plan, held)
    if not account.rules.feed(cell.place, remembered.parts):
        return f"no location feeds {cell.place!r} any more; policy.on_unmapped = {account.rules.policy.on_unmapped}"
    if remembered.sent is not None:
        made = f"{show(remembered.sent)} was written, and the target made {show(remembered.acked)} of it"
        return f"{Cause.ALTERED_BY_TARGET.value}: {made} (a trigger, or the column's type)"
    return ""


def remark_on_no_row(remembered: SnapshotCell, last_complete: datetime | None, *, creates: bool) -> str:
    """Say why the target has no row and will get none; "" where the next cycle makes it, or somebody deleted it."""
    if remembered.acked is not None or remembered.intent is not None:
        return ""
    if not creates:
        return 'the target has no row of it, and target.missing = "skip" makes none'
    tried = last_complete is not None and remembered.source_at <= last_complete
    return "the target has no row of it, and the `write` statement made none" if tried else ""


def _held(account: Account, plan: HeldPlan, held: HeldChange) -> str:
    why = "; ".join(f"{guard.value}: {plan.reasons.get(guard.value, 'a limit was exceeded')}" for guard in held.guards)
    would = f"{show(held.change.before) or 'nothing'} → {show(held.change.after)} is held by {why}"
    if plan.decision is Decision.WAITING:
        return f"{would}; right: stocksync approve {plan.plan_id}"
    when = f" {ago(account, plan.decided_at)}" if plan.decided_at else ""
    return f"{would}; {plan.decision} by {plan.decided_by}{when} ({plan.plan_id})"
