"""Counting a cycle: every cell that was considered is in exactly one column."""

from collections import Counter

from stocksync.core.desired_state import orphaned_units
from stocksync.core.drift import Cause
from stocksync.core.guards import Limits
from stocksync.core.health import refused_in_words, too_many_refused
from stocksync.core.held_plan import headline
from stocksync.core.model import Removal
from stocksync.core.report import CycleReport
from stocksync.run.prepare import CyclePlan, is_managed
from stocksync.run.write_result import WriteResult

_NO_ROW = "not in the target"
_MET_ANEW = "the target was changed in the configuration: its rows are compared as at first contact"


def describe(report: CycleReport, prepared: CyclePlan, limits: Limits) -> None:
    """Put into the report what was read and planned."""
    reading, desires = prepared.reading, prepared.desires
    report.products = _products(prepared)
    report.discrepancies = dict(Counter(name for want in desires.wants.values() for name in want.discrepancies))
    report.cross_checks = dict(Counter(result.value for result in prepared.checked.results))
    report.guards = prepared.plan.guards
    report.open_guards = prepared.plan.open_guards
    held = prepared.plan.held
    report.plan_id, report.effect = (held.plan_id, headline(held)) if held else ("", "")
    report.orphaned = orphaned_units(desires.orphaned, prepared.snapshot.cells)
    report.reasons = (*reading.reasons, _MET_ANEW) if prepared.snapshot.met_anew else reading.reasons
    _count(report, prepared)
    _judge(report, prepared, WriteResult(), limits)


def _count(report: CycleReport, prepared: CyclePlan) -> None:
    """Put every cell that was considered into one column, and tell how many are managed."""
    desires, found, left_out = prepared.desires, prepared.found, prepared.focus.left_out
    counts = report.counts
    ignored = sum(desires.unmapped.values()) + left_out.unmapped
    waiting = sum(desires.unmapped_held.values())
    unmapped, settled = ignored + waiting, sum(desires.unchanged.values()) + left_out.unchanged
    counts.read = settled + desires.wanted.total() + len(desires.unknown) + len(desires.unmanaged) + unmapped
    counts.read += len(prepared.bad_cells) + left_out.unmanaged
    counts.unchanged = settled + found.unchanged
    counts.held = len(prepared.plan.holds) + waiting
    counts.quarantined = len(prepared.bad_cells) + len(found.refused) + len(found.waiting)
    unmanaged = len(desires.unmanaged) + left_out.unmanaged
    counts.ignored = len(desires.unknown) + unmanaged + ignored + len(found.skipped)
    report.ignored = {
        "unknown": len(desires.unknown),
        "unmanaged": unmanaged,
        "unmapped": ignored,
        _NO_ROW: len(found.skipped),
    }
    report.cells = {
        "managed": left_out.managed + sum(map(is_managed, prepared.snapshot.cells.values())),
        "unknown": len(desires.unknown),
        "held": counts.held,
        "quarantined": counts.quarantined,
        "unmapped": unmapped,
    }


def conclude(report: CycleReport, prepared: CyclePlan, pushed: WriteResult, limits: Limits) -> None:
    """Put into the report what became of the plan, and check that nothing was lost.

    Raises:
        InvariantBroken: the counts do not add up.

    """
    counts = report.counts
    counts.applied = len(pushed.applied)
    counts.quarantined += len(pushed.refused) + len(pushed.waiting)
    counts.ignored += len(pushed.skipped)
    report.ignored[_NO_ROW] += len(pushed.skipped)
    counts.unpushed = len(prepared.plan.apply) - pushed.count
    report.changes = dict(Counter(change.kind.value for change in pushed.applied))
    if pushed.altered:
        report.discrepancies[Cause.ALTERED_BY_TARGET.value] = len(pushed.altered)
    report.cells["quarantined"] = counts.quarantined
    left = set(prepared.desires.orphaned) - {change.cell for change in pushed.applied}
    report.orphaned = orphaned_units(left, prepared.snapshot.cells)
    cells = prepared.snapshot.cells
    report.cells["managed"] += len(prepared.found.adopted)
    for change in pushed.applied:
        was = change.cell in cells and is_managed(cells[change.cell])
        report.cells["managed"] += (not isinstance(change.after, Removal)) - was
    _judge(report, prepared, pushed, limits)
    counts.check()


def _judge(report: CycleReport, prepared: CyclePlan, pushed: WriteResult, limits: Limits) -> None:
    """Say how much is set aside, and whether it is too much. A product that was never read counts as one cell."""
    known = {cell.product_id for cell in prepared.snapshot.cells}
    bare = sum(row.product_id not in known for row in prepared.reading.bad_rows)
    refused, cells = report.counts.quarantined + bare - len(pushed.waiting), report.counts.read + bare
    said = ""
    if refused:
        entries = prepared.snapshot.quarantine
        reasons = Counter(reason for _, reason in (*prepared.found.refused, *pushed.refused))
        reasons.update(entries[cell].reason for cell in prepared.found.waiting)
        reasons.update(row.reason for row in prepared.reading.bad_rows)
        said = refused_in_words(refused, cells, reasons.most_common(1)[0][0] if reasons else "")
    waiting = len(pushed.waiting)
    # It is not refused, and yet not written: the next cycle tries it at once.
    waits = f"{waiting:,} cell{' waits' if waiting == 1 else 's wait'}: {pushed.waiting[0][1]}" if waiting else ""
    report.refusal = "; ".join(filter(None, (said, waits)))
    report.unwell = too_many_refused(refused, cells, limits.quarantined, limits.minimum_cells)


def _products(prepared: CyclePlan) -> dict[str, int]:
    products, left_out = prepared.reading.products.values(), prepared.focus.left_out
    tracked = sum(product.tracked for product in products) + left_out.tracked
    return {
        "tracked": tracked,
        "untracked": len(products) + left_out.products - tracked,
        "without_figures": sum(product.tracked and not product.stock for product in products),
        "missing": sum(entry.is_missing for entry in prepared.absent.updates.values()),
        "gone": sum(entry.gone_at is not None for entry in prepared.absent.updates.values()),
        "bad": len(prepared.reading.bad_rows),
        "distrusted": len(prepared.checked.distrusted),
    }
