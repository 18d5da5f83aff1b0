"""Counting a cycle: every cell that was considered is in exactly one column."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from stocksync.core.desired_state import orphaned_units
from stocksync.core.drift import Cause
from stocksync.core.guards import Limits
from stocksync.core.health import refused_in_words, too_many_refused
from stocksync.core.held_plan import headline
from stocksync.core.model import Removal
from stocksync.core.report import Counts, CycleReport
from stocksync.run.prepared import CyclePlan
from stocksync.run.weighing import is_managed
from stocksync.run.write_result import WriteResult

_NO_ROW = "not in the target"
_MET_ANEW = "the target was changed in the configuration: its rows are compared as at first contact"


@dataclass(slots=True)
class Figures:
    """What a cycle found and did, in figures that add up: those of all its portions are those of the cycle."""

    counts: Counter[str] = field(default_factory=Counter)
    """By the fields of `Counts`."""
    products: Counter[str] = field(default_factory=Counter)
    cells: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    discrepancies: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why cells are set aside."""
    waiting: Counter[str] = field(default_factory=Counter)
    """Why cells wait: another transaction holds their rows."""
    unreadable: Counter[str] = field(default_factory=Counter)
    """Why rows cannot be read that were never read before: each counts as one cell."""
    orphaned: dict[str, Decimal] = field(default_factory=dict)

    def add(self, other: "Figures") -> None:
        """Take in those of another portion."""
        for name in self.__slots__:
            if name != "orphaned":
                getattr(self, name).update(getattr(other, name))
        for place, units in other.orphaned.items():
            self.orphaned[place] = self.orphaned.get(place, Decimal(0)) + units


def figures_of(prepared: CyclePlan, pushed: WriteResult | None = None) -> Figures:
    """Count what was read and planned, and what became of it; before the writing begins, nothing has."""
    figures, done = Figures(), pushed or WriteResult()
    desires, found = prepared.desires, prepared.found
    figures.products.update(_products(prepared))
    figures.discrepancies.update(name for want in desires.wants.values() for name in want.discrepancies)
    if done.altered:
        figures.discrepancies[Cause.ALTERED_BY_TARGET.value] = len(done.altered)
    figures.changes.update(change.kind.value for change in done.applied)
    left = set(desires.orphaned) - {change.cell for change in done.applied} if desires.orphaned else ()
    figures.orphaned = orphaned_units(left, prepared.snapshot.cells)
    _count(figures, prepared, done)
    figures.cells["managed"] = _managed(prepared, pushed)
    entries = prepared.snapshot.quarantine
    figures.reasons.update(reason for _, reason in (*found.refused, *done.refused))
    figures.reasons.update(entries[cell].reason for cell in found.waiting)
    figures.reasons.update(row.reason for row in prepared.reading.bad_rows)
    figures.waiting.update(reason for _, reason in done.waiting)
    if prepared.reading.bad_rows:
        known = {cell.product_id for cell in prepared.snapshot.cells}
        figures.unreadable.update(row.reason for row in prepared.reading.bad_rows if row.product_id not in known)
    return figures


def not_reached(prepared: CyclePlan) -> Figures:
    """Count what is about to be compared and written: each figure that was read, as if nothing left it alone."""
    figures = figures_of(prepared)
    read = sum(len(product.stock) for product in prepared.reading.products.values() if product.tracked)
    figures.counts.update(read=read, unpushed=read)
    return figures


def _count(figures: Figures, prepared: CyclePlan, done: WriteResult) -> None:
    """Put every cell that was considered into one column."""
    desires, found, left_out = prepared.desires, prepared.found, prepared.focus.left_out
    ignored = sum(desires.unmapped.values()) + left_out.unmapped
    waiting = sum(desires.unmapped_held.values())
    settled, bad = sum(desires.unchanged.values()) + left_out.unchanged, len(prepared.bad_cells)
    unknown, unmanaged = len(desires.unknown), len(desires.unmanaged) + left_out.unmanaged
    skipped = len(found.skipped) + len(done.skipped)
    held = len(prepared.plan.holds) + waiting
    quarantined = bad + len(found.refused) + len(found.waiting) + len(done.refused) + len(done.waiting)
    figures.counts.update(
        read=settled + desires.wanted.total() + unknown + unmanaged + ignored + waiting + bad,
        unchanged=settled + found.unchanged,
        applied=len(done.applied),
        held=held,
        quarantined=quarantined,
        ignored=unknown + unmanaged + ignored + skipped,
        unpushed=len(prepared.plan.apply) - done.count,
    )
    figures.ignored.update({"unknown": unknown, "unmanaged": unmanaged, "unmapped": ignored, _NO_ROW: skipped})
    figures.cells.update(unknown=unknown, held=held, quarantined=quarantined, unmapped=ignored + waiting)


def _managed(prepared: CyclePlan, pushed: WriteResult | None) -> int:
    """Count the cells in which the target holds a quantity of ours."""
    cells = prepared.snapshot.cells
    managed = prepared.focus.left_out.managed + sum(map(is_managed, cells.values()))
    if pushed is None:
        return managed
    managed += len(prepared.found.adopted)
    for change in pushed.applied:
        was = change.cell in cells and is_managed(cells[change.cell])
        managed += (not isinstance(change.after, Removal)) - was
    return managed


def enter(report: CycleReport, portions: Iterable[Figures], limits: Limits) -> None:
    """Put the figures of all portions into the report."""
    figures = Figures()
    for portion in portions:
        figures.add(portion)
    report.counts = Counts(**figures.counts)
    report.products, report.cells, report.ignored = dict(figures.products), dict(figures.cells), dict(figures.ignored)
    report.changes, report.discrepancies = dict(figures.changes), dict(figures.discrepancies)
    report.orphaned = figures.orphaned
    waiting, unreadable = figures.waiting.total(), figures.unreadable.total()
    refused, cells = report.counts.quarantined + unreadable - waiting, report.counts.read + unreadable
    said = ""
    if refused:
        # Of two that are as common the same one is named at each poll.
        common = min(figures.reasons, key=lambda reason: (-figures.reasons[reason], reason), default="")
        said = refused_in_words(refused, cells, common)
    # It is not refused, and yet not written: the next cycle tries it at once.
    waits = f"{waiting:,} cell{' waits' if waiting == 1 else 's wait'}: {next(iter(figures.waiting), '')}"
    report.refusal = "; ".join(filter(None, (said, waits if waiting else "")))
    report.unwell = too_many_refused(refused, cells, limits.quarantined, limits.minimum_cells)


def describe(report: CycleReport, prepared: CyclePlan) -> None:
    """Put into the report what was asked about the whole reading, and what of its plan waits for a person."""
    held = prepared.plan.held
    report.cross_checks = dict(Counter(result.value for result in prepared.checked.results))
    report.guards, report.open_guards = prepared.plan.guards, prepared.plan.open_guards
    report.plan_id, report.effect = (held.plan_id, headline(held)) if held else ("", "")
    report.reasons = prepared.reading.reasons
    if prepared.snapshot.met_anew:
        report.reasons = (*report.reasons, _MET_ANEW)


def _products(prepared: CyclePlan) -> dict[str, int]:
    products, left_out = prepared.reading.products.values(), prepared.focus.left_out
    tracked = sum(product.tracked for product in products) + left_out.tracked
    return {
        "tracked": tracked,
        "untracked": len(products) + left_out.products - tracked,
        "without_figures": sum(one.tracked and not one.stock and not one.recognised for one in products),
        "missing": sum(entry.is_missing for entry in prepared.absent.updates.values()),
        "gone": sum(entry.gone_at is not None for entry in prepared.absent.updates.values()),
        "bad": len(prepared.reading.bad_rows),
        "distrusted": len(prepared.checked.distrusted),
    }
