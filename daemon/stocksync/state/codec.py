"""How values are written into text and blob columns, and read back."""

import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

import msgspec

from stocksync.core.completeness import PageSpans
from stocksync.core.drift import AuditReport
from stocksync.core.guards import Guard
from stocksync.core.held_plan import HeldChange, HeldPlan
from stocksync.core.model import Change, Figure, SourceFigures, figure_of, show
from stocksync.core.report import CycleReport


class _HeldRow(msgspec.Struct, array_like=True):
    guards: str | list[str]
    """Version 0.1 stored one guard, not a list."""
    product_id: int
    place: str
    sku: str
    before: str | None
    after: str
    parts: dict[int, Decimal]
    cause: str
    name: str = ""


class _Plan(msgspec.Struct):
    reasons: dict[str, str]
    changes: list[_HeldRow]


_parts = msgspec.json.Decoder(dict[int, Decimal])
_report = msgspec.json.Decoder(CycleReport)
_audit = msgspec.json.Decoder(AuditReport)
_locations = msgspec.json.Decoder(dict[int, str])
_plan = msgspec.json.Decoder(_Plan)
_spans = msgspec.json.Decoder(PageSpans)
_totals = msgspec.json.Decoder(list[int])


@lru_cache(maxsize=16_384)  # the same figures go into an intent, an acknowledgement and the ledger
def parts_text(parts: SourceFigures) -> str:
    """Give raw figures as canonical JSON: `{"3":"120"}`."""
    return "{" + ",".join(f'"{location}":"{show(figure)}"' for location, figure in parts) + "}"


@lru_cache(maxsize=4096)  # of a shop's few thousand figures most stand in many cells
def parts_of(text: str) -> SourceFigures:
    """Read back what `parts_text` gave."""
    return tuple(_parts.decode(text).items())


def figure_text(figure: Figure | None) -> str | None:
    """Give a figure for a nullable column."""
    return None if figure is None else show(figure)


def report_text(report: CycleReport | AuditReport) -> str:
    """Give a report as JSON."""
    return msgspec.json.encode(report).decode()


def report_of(text: str) -> CycleReport:
    """Read a cycle's report."""
    return _report.decode(text)


def audit_of(text: str | None) -> AuditReport | None:
    """Read an audit's report."""
    return None if text is None else _audit.decode(text)


def locations_text(locations: Mapping[int, str]) -> str:
    """Give location names as JSON."""
    return msgspec.json.encode(dict(sorted(locations.items()))).decode()


def locations_of(text: str | None) -> dict[int, str]:
    """Read location names."""
    return {} if text is None else _locations.decode(text)


def spans_text(spans: PageSpans) -> str:
    """Give stretches of pages as JSON."""
    return msgspec.json.encode(spans).decode()


def spans_of(text: str | None) -> PageSpans:
    """Read stretches of pages."""
    return () if text is None else _spans.decode(text)


def totals_text(totals: Sequence[int]) -> str:
    """Give a catalogue's sizes as JSON."""
    return msgspec.json.encode(totals).decode()


def totals_of(text: str | None) -> list[int]:
    """Read a catalogue's sizes."""
    return [] if text is None else _totals.decode(text)


def plan_blob(plan: HeldPlan) -> bytes:
    """Give what never changes of a plan; compressed, as one statement must hold 100,000 changes."""
    rows = []
    for held in plan.changes:
        one, guards = held.change, [guard.value for guard in held.guards]
        before, after, parts = figure_text(one.before), show(one.after), dict(one.parts)
        rows.append(_HeldRow(guards, one.product_id, one.place, one.sku, before, after, parts, one.cause, held.name))
    return zlib.compress(msgspec.json.encode(_Plan(dict(plan.reasons), rows)), 1)


@lru_cache(maxsize=16)  # the status is read again and again, and a plan may hold half a catalogue
def plan_of(blob: bytes) -> tuple[dict[str, str], tuple[HeldChange, ...]]:
    """Give the reasons and the changes of a plan."""
    plan = _plan.decode(zlib.decompress(blob))
    changes = []
    for row in plan.changes:
        parts = tuple(row.parts.items())
        change = change_of(
            row.product_id, row.place, row.sku, before=row.before, after=row.after, parts=parts, cause=row.cause
        )
        guards = [row.guards] if isinstance(row.guards, str) else row.guards
        changes.append(HeldChange(change, tuple(map(Guard, guards)), row.name))
    return plan.reasons, tuple(changes)


def change_of(
    product_id: int, place: str, sku: str, *, before: str | None, after: str, parts: SourceFigures, cause: str
) -> Change:
    """Read a change from its columns.

    Raises:
        ValueError: `after` is empty, which no change ever is.

    """
    figure = figure_of(after)
    if figure is None:
        raise ValueError(f"the state holds a change of product {product_id} without a figure; please report this")
    return Change(product_id, place, sku, figure_of(before), figure, parts, cause)
