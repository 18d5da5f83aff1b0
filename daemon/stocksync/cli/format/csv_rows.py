"""What commands print as tables, as rows for spreadsheets: one heading a column, one record a line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stocksync.core.answers import Explanation, Health, Preview, StockAnswer
from stocksync.core.drift import AuditReport
from stocksync.core.held_plan import Decision
from stocksync.core.model import Change
from stocksync.core.status import AccountStatus
from stocksync.ports import LedgerRow, Level

Cells = Sequence[object]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Headings, and the rows below them."""

    head: Sequence[str]
    rows: Iterable[Cells]


_CHANGE = ("product_id", "sku", "location", "location_name", "before", "after", "kind", "cause")


def levels(found: Sequence[tuple[Level, str]]) -> Sheet:
    """Give what stood in the targets."""
    head = ("account", "product_id", "sku", "location", "location_name", "quantity", "written_at")
    return Sheet(
        head, ((one.account, one.product_id, one.sku, one.place, name, one.quantity, one.since) for one, name in found)
    )


def statuses(found: Sequence[tuple[AccountStatus, Health]]) -> Sheet:
    """Give one row for each account."""
    head = (
        "account", "well", "state", "lag_seconds", "limit_seconds", "last_complete", "last_push", "cells", "products",
        "held", "quarantined", "unknown", "drift", "consecutive_failures", "reasons",
    )  # fmt: skip
    rows: list[Cells] = []
    for status, health in found:
        held = sum(len(plan.changes) for plan in status.waiting)
        drift = status.audit.drifted + status.audit.strange if status.audit else None
        rows.append((
            status.account, health.well, health.word, health.lag, health.limit, status.last_complete, status.last_push,
            status.cells, status.products, held, status.quarantined, status.unknown, drift, status.consecutive_failures,
            health.reasons,
        ))  # fmt: skip
    return Sheet(head, rows)


def stock(answers: Sequence[StockAnswer]) -> Sheet:
    """Give one row for each location of each product."""
    head = (
        "account", "product_id", "sku", "name", "tracked", "fresh", "location", "location_name", "qoyod", "should_be",
        "written", "target", "in_target", "confirmed_at", "changed_at", "remark", "note",
    )  # fmt: skip
    rows: list[Cells] = []
    for answer in answers:
        product = (answer.account, answer.product_id, answer.sku, answer.name, answer.tracked, answer.fresh)
        for place in answer.places:
            names = " + ".join(name for name in place.locations.values() if name)
            written = place.snapshot if place.sent is None else place.sent
            figures = (place.source, place.desired, written, place.target, place.in_target)
            since = (place.confirmed_at, place.changed_at)
            rows.append((*product, place.place, names, *figures, *since, place.remark, answer.note))
    return Sheet(head, rows)


def explained(values: Sequence[Explanation]) -> Sheet:
    """Give one row for each step of each figure."""
    head = ("account", "product_id", "sku", "name", "location", "step", "value", "why")
    return Sheet(
        head,
        (
            (one.account, one.product_id, one.sku, one.name, cell.place, step.name, step.value, step.why)
            for one in values
            for cell in one.cells
            for step in cell.steps
        ),
    )


LEDGER_HEAD = ("id", "at", "cycle_id", *_CHANGE, "read_back", "decision", "decided_by", "plan_id")


def ledger_row(row: LedgerRow) -> Cells:
    """Give one applied change, or one that a person decided on."""
    told = (row.read_back, row.decision, row.decided_by, row.plan_id)
    return (row.id or None, row.at, row.cycle_id, *_change(row.change, row.location), *told)


def ledger(rows: Iterable[LedgerRow]) -> Sheet:
    """Give applied changes."""
    return Sheet(LEDGER_HEAD, map(ledger_row, rows))


def previews(found: Sequence[Preview]) -> Sheet:
    """Give every change that would be written or held."""
    head = ("account", "would_be", "name", *_CHANGE, "guards", "plan_id")
    rows: list[Cells] = []
    for preview in found:
        account = preview.report.account
        for change in preview.apply:
            name, where = preview.names.get(change.product_id, ""), preview.places.get(change.place, "")
            rows.append((account, "written", name, *_change(change, where), (), ""))
        plans = [plan for plan in (preview.held, preview.healing, *preview.decided) if plan is not None]
        for plan, held in ((one, each) for one in plans for each in one.changes):
            state = "held" if plan.decision is Decision.WAITING else plan.decision.value
            name = held.name or preview.names.get(held.change.product_id, "")
            where = held.location or preview.places.get(held.change.place, "")
            rows.append((account, state, name, *_change(held.change, where), held.guards, plan.plan_id))
    return Sheet(head, rows)


def audits(reports: Sequence[AuditReport]) -> Sheet:
    """Give the differences that audits kept as examples."""
    head = ("account", "cause", "row", "location_name", "expected", "found", "units", "compared")
    return Sheet(
        head,
        (
            (one.account, each.cause, each.key, each.location, each.expected, each.found, each.units, one.compared)
            for one in reports
            for each in one.examples
        ),
    )


def _change(change: Change, location: str) -> Cells:
    return (
        change.product_id, change.sku, change.place, location, change.before, change.after, change.kind, change.cause
    )  # fmt: skip
