"""What becomes of the state in memory by what is recorded in it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from stocksync.core.desired_state import CLOCK_SKEW
from stocksync.core.held_plan import Decision, HeldPlan
from stocksync.core.model import Cell, Change
from stocksync.memory.store import MemoryAccount, MemoryCell
from stocksync.ports import FiguresRead, SnapshotUpdate


def forget(mine: MemoryAccount) -> int:
    """Forget what another target has acknowledged."""
    forgotten = sum(row.acked is not None for row in mine.cells.values())
    for row in mine.cells.values():
        row.acked = row.sent = row.intent = row.intended_at = None
        row.sku = row.former_sku = ""
    mine.quarantine = {key: entry for key, entry in mine.quarantine.items() if entry.side != "target"}
    mine.plans, mine.weighed = [], False
    return forgotten


def hold(mine: MemoryAccount, plan: HeldPlan | None, lapsed: Sequence[HeldPlan], cause: str) -> HeldPlan | None:
    """Make `plan` the one of its cause that waits, and end what has lapsed; give it as it is stored."""
    ended = {(one.plan_id, cell) for one in lapsed for cell in one.cells}
    waits = [one for one in mine.plans if one.cause == cause and one.decision is Decision.WAITING]
    others = [one for one in mine.plans if one not in waits]
    others = [one.only(cell for cell in one.cells if (one.plan_id, cell) not in ended) for one in others]
    decided = {(held.change.cell, held.change.after) for one in others if one.cause == cause for held in one.changes}
    if plan is not None:
        plan = plan.only(
            held.change.cell for held in plan.changes if (held.change.cell, held.change.after) not in decided
        )
        before = next((one for one in waits if plan.continues(one)), None)
        plan = plan if before is None else plan.as_episode_of(before)
    mine.plans = [one for one in (*([plan] if plan else []), *others) if one.changes]
    return plan if plan is not None and plan.changes else None


def use_up(mine: MemoryAccount, done: Change) -> None:
    """End what was decided about a cell whose very figure is acknowledged now."""
    left = [
        one
        if one.decision is Decision.WAITING
        else replace(
            one, changes=tuple(h for h in one.changes if (h.change.cell, h.change.after) != (done.cell, done.after))
        )
        for one in mine.plans
    ]
    mine.plans = [one for one in left if one.changes]


def _unsettle(mine: MemoryAccount, seen: SnapshotUpdate) -> None:
    cells = chain(seen.cells, seen.corrected, seen.adopted, seen.unknown, seen.given_up)
    entries = {entry.product_id for entry in seen.quarantined} | {product_id for product_id, _ in seen.released}
    for product_id in chain(seen.unsettled, seen.products, entries, (cell.product_id for cell in cells)):
        mine.settled.pop(product_id, None)


def _settle(mine: MemoryAccount, seen: SnapshotUpdate) -> None:
    if seen.rules and mine.rules != seen.rules:
        mine.settled, mine.rules = {}, seen.rules
    mine.settled |= {key: one for key, one in seen.settled.items() if key in mine.products}


def read(mine: MemoryAccount, figures: FiguresRead, now: datetime, replacing: Collection[Cell] = ()) -> None:
    """Take raw figures; one that was read earlier never replaces a later one."""
    for cell, (parts, at) in figures.items():
        row = mine.cells.setdefault(cell, MemoryCell())
        newer = at >= row.source_at or row.source_at > now + CLOCK_SKEW
        if newer or cell in replacing:
            row.parts, row.source_at = parts, at if newer else row.source_at


def observe(mine: MemoryAccount, seen: SnapshotUpdate, now: datetime) -> None:
    """Take what a reading changes."""
    _unsettle(mine, seen)
    if seen.layout is not None:
        mine.layout = seen.layout
        for row in mine.cells.values():
            row.sent = None
    read(mine, seen.cells, now, seen.replacing)
    for cell, found in seen.corrected.items():
        row = mine.cells.setdefault(cell, MemoryCell())
        row.acked, row.sent = found, None
    for cell, (figure, sku) in seen.adopted.items():
        row = mine.cells.setdefault(cell, MemoryCell())
        if row.acked is None:
            row.acked, row.sku = figure, sku
    for cell, since in seen.unknown.items():
        if cell in mine.cells:
            mine.cells[cell].unknown_since = since
    mine.products |= seen.products
    for cell in seen.given_up:
        row = mine.cells[cell]
        row.acked = row.sent = row.intent = row.intended_at = None
    mine.checked_up_to = seen.checked_up_to or mine.checked_up_to
    mine.locations = mine.locations if seen.locations is None else dict(seen.locations)
    for key in seen.released:
        mine.quarantine.pop(key, None)
    mine.quarantine |= {(entry.product_id, entry.place): entry for entry in seen.quarantined}
    _settle(mine, seen)
