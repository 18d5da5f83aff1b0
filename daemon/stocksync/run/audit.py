"""The slower comparison of source, snapshot and live target that finds drift."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

import structlog

from stocksync.core.cycle_plan import make_plan
from stocksync.core.desired_state import contested_skus, figure_now, is_derived, is_retired
from stocksync.core.drift import AuditedCell, AuditReport, Cause, Difference, cause_of, live_text, units_between
from stocksync.core.events import AuditEnded
from stocksync.core.guards import GuardContext, Limits
from stocksync.core.model import (
    LONGEST_ID,
    Cell,
    Change,
    Figure,
    Removal,
    RowLocator,
    SnapshotCell,
    SnapshotProduct,
    TargetRow,
    show,
)
from stocksync.core.status import Side
from stocksync.errors import RowsRefused, StocksyncError, TargetError
from stocksync.ports import Lease, Snapshot, StateQueries
from stocksync.run.account import Account
from stocksync.run.cycle import new_report
from stocksync.run.held_plans import announce_plans
from stocksync.run.shared_table import disputed_cells
from stocksync.run.writer import Writer

log = structlog.get_logger(__name__)

_RANGE = 1000
"""Cells compared at a time."""
_EXAMPLES = 100
_HEALABLE = {Cause.EDITED_IN_TARGET, Cause.MISSING_IN_TARGET}


@dataclass(slots=True)
class _Found:
    report: AuditReport
    register: StateQueries
    by_sku: bool = False
    changes: list[Change] = field(default_factory=list)
    keys: set[int] = field(default_factory=set)
    """Hashes of every (match value, place) that is ours: small enough for any account."""
    managed: int = 0
    creates: bool = True
    """Whether the target makes rows that it lacks."""
    last_complete: datetime | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    """Location value to the name that people know."""

    def tried(self, remembered: SnapshotCell) -> bool:
        """Whether a complete cycle came by after the figure was read, or no cycle would make a row of it."""
        return not self.creates or (self.last_complete is not None and remembered.source_at <= self.last_complete)

    def lost(self, limits: Limits) -> int:
        """Give how many rows are missing and were not put back, where that is more than the guards would delete."""
        missing = self.report.cells.get(Cause.MISSING_IN_TARGET.value, 0)
        many = self.managed >= limits.minimum_cells and missing > limits.deleted * self.managed
        return max(0, missing - self.report.healed) if many else 0

    def note(self, cause: Cause, key: tuple[str, str], sides: tuple[str, TargetRow | None], units: Decimal) -> None:
        """Count a difference of a row, by (SKU or id, place), between what was expected and what stands there."""
        name, place = key
        expected, live = sides
        where = f"{name} @ {place}" if place else name
        report = self.report
        report.cells[cause.value] = report.cells.get(cause.value, 0) + 1
        report.units[cause.value] = report.units.get(cause.value, units * 0) + units
        if len(report.examples) < _EXAMPLES:
            known_as = self.places.get(place, "")
            report.examples.append(Difference(cause, where, expected, live_text(live), units, known_as))


async def audit(account: Account, register: StateQueries, lease: Lease | None, *, heal: bool = False) -> AuditReport:
    """Compare every cell; with `heal` and a lease put edited and missing cells back, through the guards.

    An error ends in the report: an audit never stops the daemon.
    """
    found = _Found(AuditReport(account.name, account.clock.now()), register)
    report = found.report
    seconds = account.settings.deadline.total_seconds()
    with structlog.contextvars.bound_contextvars(account=account.name):
        try:
            async with asyncio.timeout(seconds) as deadline:
                await _compare_all(account, found)
                if lease is not None:
                    await _heal(account, lease, found, heal=heal)
                report.lost = found.lost(account.limits)
        except TimeoutError as error:
            late = deadline.expired()
            report.error = f"not done within poll.deadline of {seconds:g} s" if late else f"timed out: {error}"
        except StocksyncError as error:
            report.error = str(error)
        report.ended_at = account.clock.now()
        try:
            await account.state.record_audit(lease, report)
        except StocksyncError as error:
            log.warning("audit_not_recorded", error=str(error))
        account.publish(AuditEnded(report))
    return report


async def _compare_all(account: Account, found: _Found) -> None:
    known = await account.state.snapshot(account.name, [])
    found.places = account.rules.places.names(known.locations)
    if known.target not in {None, account.target_id}:
        raise TargetError("the target was changed in the configuration: the next cycle compares it as at first contact")
    capabilities = await account.capabilities()
    found.by_sku, found.creates, found.last_complete = capabilities.by_sku, capabilities.creates, known.last_complete
    after: Cell | None = None
    while True:
        async with account.writing:
            cells = await account.state.cells_after(account.name, after, _RANGE)
            if not cells:
                break
            await _compare_range(account, cells, found)
        after = cells[-1][0].cell
    if capabilities.can_scan and account.settings.owns_table:
        try:
            await _find_strangers(account, found)
        except RowsRefused as error:
            # Every cell of ours has been compared; only whose the rows beyond are stays untold.
            log.warning("rows_not_walked", error=str(error))


async def _compare_range(account: Account, cells: list[tuple[RowLocator, SnapshotCell]], found: _Found) -> None:
    live = await account.target.read([ref for ref, _ in cells])
    found.report.compared += len(cells)
    found.managed += sum(remembered.acked is not None for _, remembered in cells)
    found.keys.update(hash((ref.sku if found.by_sku else str(ref.product_id), ref.place)) for ref, _ in cells)
    suspects: list[RowLocator] = []
    for ref, remembered in cells:
        row, fed = live.get(ref.cell), account.rules.feed(ref.place, remembered.parts)
        # What is known of the product may change what is expected: a closer look decides.
        expected = (remembered.acked, figure_now(remembered, account.rules.policy, fed=fed))
        standings = (_audited(remembered, figure, tried=found.tried(remembered)) for figure in expected)
        if _is_orphan(account, ref.cell, remembered, row) or any(cause_of(one, row) is not None for one in standings):
            suspects.append(ref)
    if suspects:
        await _look_again(account, suspects, found)


def _standing(account: Account, place: str, remembered: SnapshotCell, known: SnapshotProduct | None) -> AuditedCell:
    fed = account.rules.feed(place, remembered.parts) and remembered.unknown_since is None
    return _audited(remembered, figure_now(remembered, account.rules.policy, known, fed=fed))


def _audited(remembered: SnapshotCell, expected: Figure | None, *, tried: bool = False) -> AuditedCell:
    return AuditedCell(
        expected, remembered.acked, open_intent=remembered.intent is not None, sent=remembered.sent, tried=tried
    )


def _is_orphan(account: Account, cell: Cell, remembered: SnapshotCell, live: TargetRow | None) -> bool:
    """Whether stock stands at a place that no location feeds any more, as the map was changed."""
    stands = live is not None and live.active is not False and live.quantity != 0 and not live.unreadable
    return stands and not account.rules.feed(cell.place, remembered.parts)


async def _look_again(account: Account, refs: list[RowLocator], found: _Found) -> None:
    """Read both sides once more: another process may have been between its write and its acknowledgement."""
    snapshot = await account.state.snapshot(account.name, sorted({ref.product_id for ref in refs}))
    live = await account.target.read(refs)
    held = {cell for plan in snapshot.plans if plan.cause == "poll" for cell in plan.cells}
    theirs = await disputed_cells(account, snapshot.cells, {ref.product_id for ref in refs})
    names = (account.name, *account.siblings)
    for ref in refs:
        if ref.cell not in snapshot.cells or ref.cell in theirs:
            continue
        bearers: list[int] = []
        if found.by_sku and is_retired(snapshot.products.get(ref.product_id)):
            # Its SKU, and with it the row, may belong to another product now.
            bearers = [other for name in names for other in await found.register.products_with(name, ref.sku)]
        if all(other == ref.product_id for other in bearers):
            _judge(account, (ref, live.get(ref.cell)), snapshot, held, found)


def _judge(
    account: Account, one: tuple[RowLocator, TargetRow | None], snapshot: Snapshot, held: set[Cell], found: _Found
) -> None:
    ref, live = one
    remembered = snapshot.cells[ref.cell]
    if _is_orphan(account, ref.cell, remembered, live):
        gap = units_between(Decimal(0), live)
        found.note(Cause.UNMAPPED, _key(ref), ("no location feeds it", live), gap)
        return
    entry = snapshot.quarantine.get(ref.cell)
    standing = replace(
        _standing(account, ref.place, remembered, snapshot.products.get(ref.product_id)),
        held=ref.cell in held,
        quarantined=entry is not None and entry.side != Side.COLUMN,
        tried=found.tried(remembered),
    )
    cause = cause_of(standing, live)
    if cause is None:
        return
    expected = standing.expected
    found.note(cause, _key(ref), (show(expected), live), units_between(expected, live))
    if cause in _HEALABLE and expected is not None and is_derived(expected, remembered, account.rules.policy):
        before: Figure | None = live.quantity if live else None
        if live is not None and live.active is False and not isinstance(expected, Removal) and before == expected:
            before = Removal.DEACTIVATED
        change = Change(ref.product_id, ref.place, ref.sku, before, expected, remembered.parts, cause="heal")
        found.changes.append(change)


async def _find_strangers(account: Account, found: _Found) -> None:
    async for page in account.target.scan(_RANGE):
        strange = [(match, place, live) for match, place, live in page if hash((match, place)) not in found.keys]
        known = await _known_meanwhile(account, found, strange)
        for match, place, live in strange:
            if (match, place) in known:
                continue
            cause = Cause.UNMAPPED
            if found.by_sku:
                bearers = await found.register.products_with(account.name, match)
                now = (await account.state.snapshot(account.name, bearers)).products
                # A product of ours bore the SKU, and none does: a row of one that does stands at a place of nobody's.
                if bearers and all(one.sku != match for one in now.values()):
                    cause = Cause.RENAMED
            found.note(cause, (match, place), ("no cell of ours", live), units_between(None, live))


async def _known_meanwhile(
    account: Account, found: _Found, rows: list[tuple[str, str, TargetRow]]
) -> set[tuple[str, str]]:
    """Find the rows that belong to cells of ours after all: a cycle may have added them since the cells were walked."""
    if not rows:
        return set()
    ids: set[int] = set()
    for match in {match for match, _, _ in rows}:
        if found.by_sku:
            ids.update(await found.register.products_with(account.name, match))
        elif match.isdecimal() and len(match) <= LONGEST_ID:
            ids.add(int(match))
    now = await account.state.snapshot(account.name, sorted(ids))
    skus = {product_id: known.sku for product_id, known in now.products.items()}
    return {(skus.get(one.product_id, "") if found.by_sku else str(one.product_id), one.place) for one in now.cells}


async def _heal(account: Account, lease: Lease, found: _Found, *, heal: bool) -> None:
    """Put back what the guards let through; without `heal` only what a person approved of an earlier healing."""
    async with account.writing:
        snapshot = await account.state.snapshot(account.name, sorted({one.product_id for one in found.changes}))
        plans = [plan for plan in snapshot.plans if plan.cause == "heal"]
        if not plans and not (heal and found.changes):
            return
        changes = await _due(account, found, snapshot)
        missing = frozenset(change.cell for change in changes if change.before is None)
        facts = GuardContext(account.name, account.clock.now(), found.managed, missing, cause="heal")
        plan = make_plan(changes, (), account.limits, facts, plans)
        announce_plans(account, plan, plans)
        held = plan.held and plan.held.named({key: known.name for key, known in snapshot.products.items()})
        await account.state.hold(lease, held, plan.lapsed, "heal")
        if held is not None:
            found.report.held, found.report.plan_id = len(held.changes), held.plan_id
        writer = Writer(account, lease, new_report(account, lease, "heal-").cycle_id)
        try:
            await writer.push([change for change in plan.apply if heal or change.cell in plan.released])
        finally:
            found.report.healed = len(writer.pushed.applied) - len(writer.pushed.altered)


async def _due(account: Account, found: _Found, snapshot: Snapshot) -> list[Change]:
    theirs = await disputed_cells(account, snapshot.cells, {one.product_id for one in found.changes})
    owners: dict[int, SnapshotProduct] = {}
    skus = sorted({change.sku for change in found.changes}) if found.by_sku else []
    for name in (*account.siblings, account.name) if found.by_sku else ():  # what the account knows goes before
        ids = {one for sku in skus for one in await found.register.products_with(name, sku)}
        owners |= (await account.state.snapshot(name, sorted(ids))).products
    # A row whose SKU several live products bear is nobody's.
    contested = contested_skus((), owners)
    due: list[Change] = []
    for change in found.changes:
        remembered, known = snapshot.cells.get(change.cell), snapshot.products.get(change.product_id)
        if remembered is None or change.cell in theirs or change.sku in contested:
            continue
        # What a cycle has changed since it was compared is the cycle's.
        if _standing(account, change.place, remembered, known).expected == change.after == remembered.asked:
            due.append(change)
    return sorted(due)


def _key(ref: RowLocator) -> tuple[str, str]:
    return ref.sku or str(ref.product_id), ref.place
