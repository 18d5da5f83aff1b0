"""A change set before the guards."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from stocksync.core.cycle_plan import Plan, make_plan
from stocksync.core.guards import GuardContext, Weight, weigh
from stocksync.core.model import Cell, Removal, SnapshotCell, Verdict
from stocksync.run.account import Account
from stocksync.run.focus import Focus
from stocksync.run.prepared import CyclePlan


@dataclass(frozen=True, slots=True)
class Load:
    """How much of the catalogue a change set concerns."""

    weight: Weight
    managed: int
    """Cells that had a figure before."""


NOTHING = Load(Weight(), 0)


def is_managed(remembered: SnapshotCell) -> bool:
    """Whether the target holds a quantity of ours in this cell."""
    return remembered.acked is not None and not isinstance(remembered.acked, Removal)


def bad_cells(prepared: CyclePlan) -> set[Cell]:
    """Name the cells of rows that could not be read."""
    unreadable = {row.product_id for row in prepared.reading.bad_rows}
    cells = prepared.snapshot.cells if unreadable else ()
    return {cell for cell in cells if cell.product_id in unreadable and cell not in prepared.desires.wants}


def first_met(prepared: CyclePlan) -> frozenset[Cell]:
    """Name the cells to be changed that the target never acknowledged."""
    cells = prepared.snapshot.cells
    asked = (change.cell for change in prepared.found.changes)
    return frozenset(cell for cell in asked if cell not in cells or cells[cell].acked is None)


def managed_before(prepared: CyclePlan, first: Collection[Cell]) -> int:
    """Count the cells that had a figure before, of ours or, where they are met for the `first` time, of others."""
    found = prepared.found
    managed = sum(is_managed(remembered) for remembered in prepared.snapshot.cells.values())
    met = sum(change.before is not None and change.cell in first for change in found.changes)
    return managed + met + len(found.adopted)


def load_of(prepared: CyclePlan, *, familiar: bool) -> Load:
    """Count what the guards go by, but for the products that were recognised."""
    first = first_met(prepared)
    return Load(weigh(prepared.found.changes, first if familiar else ()), managed_before(prepared, first))


def context_of(
    account: Account, prepared: CyclePlan, managed: int, first: frozenset[Cell] = frozenset()
) -> GuardContext:
    """Give what the guards weigh the changes of a reading against; `managed` counts what was not recognised."""
    reading, snapshot, found, checked = prepared.reading, prepared.snapshot, prepared.found, prepared.checked
    # Of these cells this reading shows no figure that counts: what was decided of them stands.
    doubted = {cell for plan in snapshot.plans for cell in plan.cells if cell.product_id in checked.distrusted}
    refused = (change.cell for change, _ in found.refused)
    return GuardContext(
        account=account.name,
        now=account.clock.now(),
        managed=prepared.focus.left_out.managed + managed,
        first=first,
        total=reading.total,
        recent_totals=snapshot.recent_totals,
        distrusted=checked.objection,
        complete=reading.verdict is Verdict.COMPLETE,
        set_aside=frozenset({*found.waiting, *refused, *doubted, *prepared.bad_cells}),
    )


def plan_of(account: Account, prepared: CyclePlan, *, familiar: bool) -> Plan:
    """Put the changes before the guards."""
    found, snapshot, first = prepared.found, prepared.snapshot, first_met(prepared)
    facts = context_of(account, prepared, managed_before(prepared, first), first if familiar else frozenset())
    plan = make_plan(found.changes, found.negative, account.limits, facts, snapshot.plans)
    if plan.held is None:
        return plan
    known = {key: one.name for key, one in snapshot.products.items()}
    read = {key: one.name for key, one in prepared.reading.products.items()}
    return replace(plan, held=plan.held.named(known | read))


def is_familiar(focus: Focus) -> bool:
    """Whether most known products were read; where not, this may be another tenant's catalogue.

    Of a part of the list only what is known of its pages can be expected.
    """
    reading, known = focus.reading, focus.snapshot.products
    expected: Collection[int] = known.keys()
    if reading.verdict is Verdict.PARTIAL:
        pages = {product.page for product in reading.products.values()}
        expected = {product_id for product_id, entry in known.items() if entry.page in pages}
    recognised = len(reading.recognised)
    return 2 * (len(reading.products.keys() & expected) + recognised) >= len(expected) + recognised
