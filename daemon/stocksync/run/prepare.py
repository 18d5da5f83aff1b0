"""From a reading to a plan: what `plan` shows and `once` carries out. Nothing here writes."""

import asyncio
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from stocksync.core import absence
from stocksync.core.crosscheck import sample
from stocksync.core.cycle_plan import Plan, make_plan
from stocksync.core.desired_state import (
    DesiredState,
    Rules,
    SnapshotCells,
    believable,
    desires_of,
    give_up_refused,
    is_retired,
    want_gone,
    want_open_intents,
    yield_skus,
)
from stocksync.core.diff import ChangeSet, DiffContext, diff, shut_rows, to_look_up
from stocksync.core.guards import GuardContext
from stocksync.core.look_alike import rivals_of
from stocksync.core.model import Cell, Change, Product, Reading, Removal, SnapshotCell, Verdict
from stocksync.core.recognition import Catalogue
from stocksync.core.status import Side
from stocksync.ports import Snapshot
from stocksync.run.account import Account
from stocksync.run.catalogue_slices import Slice, in_slices
from stocksync.run.focus import Focus, skus_of
from stocksync.run.shared_table import SharedTable, known_products, overlap
from stocksync.run.verification import Absent, CrossCheckResult, ask_for_absent, cross_check
from stocksync.threads import off_loop


@dataclass(slots=True)
class CyclePlan:
    """Everything that one reading led to."""

    focus: Focus
    """What the cycle thought about; `reading` may be a corrected one."""
    reading: Reading
    absent: Absent
    checked: CrossCheckResult
    desires: DesiredState
    found: ChangeSet
    plan: Plan
    bad_cells: set[Cell] = field(default_factory=set)
    """Cells of rows that could not be read: their last good figure stays."""
    layout: str | None = None
    """The target's layout, where it is another than the snapshot's."""

    @property
    def snapshot(self) -> Snapshot:
        """What was remembered of the products in focus."""
        return self.focus.snapshot

    @property
    def size(self) -> int:
        """How many rows those functions go over that go over all of it."""
        return self.focus.rows

    @property
    def complete(self) -> bool:
        """Whether the reading shows everything: only then may a held plan be replaced or withdrawn."""
        return self.reading.verdict is Verdict.COMPLETE


async def prepare(account: Account, focus: Focus, seed: int, until: float = math.inf) -> CyclePlan:
    """Ask Qoyod about doubts, derive the desired figures, compare, and weigh the result.

    From `until` on, by the monotonic clock, Qoyod is asked nothing more.
    """
    focus, layout = await _under_layout(account, focus)
    reading, snapshot, rows = focus.reading, focus.snapshot, focus.rows
    absent = await ask_for_absent(account.source, reading, snapshot.products, account.clock, until)
    desires, found = await _compare(account, reading, snapshot, absent)
    count, after = account.settings.cross_check, snapshot.checked_up_to
    chosen = await off_loop(rows, lambda: sample(reading, found.planned, count, after, seed))
    checked = await cross_check(account.source, chosen.products, account.clock, until)
    checked.up_to = chosen.after
    if checked.newer or checked.distrusted:
        reading = await off_loop(rows, checked.correct, reading)
        desires, found = await _compare(account, reading, snapshot, absent)
    bad, plan = await off_loop(rows, _weigh, account, focus, reading, checked, desires=desires, found=found)
    return CyclePlan(focus, reading, absent, checked, desires, found, plan, bad, layout)


def _weigh(
    account: Account,
    focus: Focus,
    reading: Reading,
    checked: CrossCheckResult,
    *,
    desires: DesiredState,
    found: ChangeSet,
) -> tuple[set[Cell], Plan]:
    """Put a change set before the guards; give it as a plan, and the cells of rows that could not be read."""
    snapshot, cells, unreadable = focus.snapshot, focus.snapshot.cells, {row.product_id for row in reading.bad_rows}
    unread = (cell for cell in cells if cell.product_id in unreadable) if unreadable else ()
    bad = {cell for cell in unread if cell not in desires.wants}
    managed = sum(is_managed(remembered) for remembered in cells.values())
    asked = (change.cell for change in found.changes)
    first = frozenset(cell for cell in asked if cell not in cells or cells[cell].acked is None)
    met = sum(change.before is not None and change.cell in first for change in found.changes)
    # Of these cells this reading shows no figure that counts: what was decided of them stands.
    doubted = {cell for plan in snapshot.plans for cell in plan.cells if cell.product_id in checked.distrusted}
    facts = GuardContext(
        account=account.name,
        now=account.clock.now(),
        managed=focus.left_out.managed + managed + met + len(found.adopted),
        first=first if _is_familiar(focus) else frozenset(),
        total=reading.total,
        recent_totals=snapshot.recent_totals,
        distrusted=checked.objection,
        complete=reading.verdict is Verdict.COMPLETE,
        set_aside=frozenset({*found.waiting, *(change.cell for change, _ in found.refused), *doubted, *bad}),
    )
    plan = make_plan(found.changes, found.negative, account.limits, facts, snapshot.plans)
    if plan.held is not None:
        known = {key: one.name for key, one in snapshot.products.items()}
        plan = replace(plan, held=plan.held.named(known | {key: one.name for key, one in reading.products.items()}))
    return bad, plan


async def prepare_products(account: Account, reading: Reading, snapshot: Snapshot) -> CyclePlan:
    """Prepare what look-ups showed: no conclusion from absence, and what a plan holds stays held."""
    absent, checked = Absent(), CrossCheckResult()
    focus, layout = await _under_layout(account, Focus(reading, snapshot, Catalogue(b"", {})))
    snapshot = focus.snapshot
    desires, found = await _compare(account, reading, snapshot, absent)
    plan = Plan(await _within_guards(account, found.changes, snapshot))
    return CyclePlan(focus, reading, absent, checked, desires, found, plan, layout=layout)


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


async def _compare(
    account: Account, reading: Reading, snapshot: Snapshot, absent: Absent
) -> tuple[DesiredState, ChangeSet]:
    """Compare slice by slice: the event loop turns between them, and of what was settled only counts are kept."""
    capabilities = await account.capabilities()
    desires, found = DesiredState(), ChangeSet()
    slices = iter([Slice(reading, snapshot, absent)])
    if not (capabilities.by_sku or capabilities.loose or account.siblings):  # a row may be another product's too
        rows = len(snapshot.cells) + len(reading.products)
        slices = await off_loop(rows, in_slices, reading, snapshot, absent)
    for part in slices:
        derived, changed = await _compare_slice(account, part.reading, part.snapshot, part.absent)
        derived.compared(part.snapshot.cells)
        desires.add(derived)
        found.add(changed)
        await asyncio.sleep(0)
    return desires, found


async def _compare_slice(
    account: Account, reading: Reading, snapshot: Snapshot, absent: Absent
) -> tuple[DesiredState, ChangeSet]:
    capabilities, now = await account.capabilities(), account.clock.now()
    products, rows = {**reading.products, **absent.alive}, len(snapshot.cells) + len(reading.products)
    cells = await off_loop(rows, believable, snapshot.cells, now)
    others = await overlap(account, cells, products)
    known = snapshot.products
    if capabilities.by_sku or capabilities.loose:
        known = await known_products(account, known, await off_loop(rows, skus_of, products.values(), snapshot))
    desires = await off_loop(rows, _derive, account.rules, products, snapshot, cells, absent=absent, others=others)
    if capabilities.by_sku:
        await off_loop(rows, yield_skus, desires, products.values(), known, cells)
    wants, memory = desires.wants.values(), others.doubting(cells)
    live = await account.target.read(await off_loop(rows, to_look_up, wants, memory))
    shut = shut_rows(cells) if capabilities.by_sku else frozenset()
    rivals = await off_loop(rows, rivals_of, products.values(), known) if capabilities.loose else {}
    context = DiffContext(by_sku=capabilities.by_sku, creates=capabilities.creates, now=now, shut=shut, rivals=rivals)
    # Nothing waits whose figure stands, nor under a SKU that has changed since, as that may be the cure.
    before = snapshot.products
    waiting = {
        key: entry
        for key, entry in snapshot.quarantine.items()
        if entry.side != Side.COLUMN
        and (key[0] not in products or (key[0] in before and before[key[0]].sku == products[key[0]].sku))
    }
    return desires, await off_loop(rows, diff, wants, memory, live, waiting, context)


def _derive(
    rules: Rules,
    products: Mapping[int, Product],
    snapshot: Snapshot,
    cells: SnapshotCells,
    *,
    absent: Absent,
    others: SharedTable,
) -> DesiredState:
    """Derive what the target should hold: of what was read, what is gone, and what was begun and not ended."""
    desires = desires_of(products.values(), others.corrected(cells), rules)
    others.leave(desires)
    others.refresh(desires, products)
    if not absent.unresolved:
        gone = absence.gone(snapshot.products, absent.updates)
        still_gone = {product_id: gone[product_id] for product_id in gone.keys() - products.keys()}
        want_gone(still_gone, snapshot.cells, rules, desires)
    alive = {product.id for product in products.values() if product.tracked}
    want_open_intents(cells, snapshot.products, alive, rules, desires)
    entries = snapshot.quarantine.values()
    refused = [Cell(one.product_id, one.place) for one in entries if one.side == Side.TARGET and one.place is not None]
    retired: set[int] = set()
    for product_id in {cell.product_id for cell in refused}:
        read, known = products.get(product_id), absent.updates.get(product_id) or snapshot.products.get(product_id)
        # What was read now goes before what is known.
        if is_retired(known) if read is None else not read.tracked:
            retired.add(product_id)
    give_up_refused(refused, retired, cells, rules, desires)
    return desires


def is_managed(remembered: SnapshotCell) -> bool:
    """Whether the target holds a quantity of ours in this cell."""
    return remembered.acked is not None and not isinstance(remembered.acked, Removal)


def _is_familiar(focus: Focus) -> bool:
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
