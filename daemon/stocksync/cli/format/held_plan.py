"""Held plans: what would happen, why it waits, what to type, and what was decided."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stocksync.cli.format.elements import (
    BAD,
    FAINT,
    GOOD,
    WAITS,
    WARN,
    WELL,
    cells,
    clean,
    clock,
    count,
    figure,
    located,
    table,
    zone,
)
from stocksync.core.held_plan import (
    Decision,
    HeldChange,
    HeldPlan,
    extent_of,
    headline,
    largest_falls,
    worst_rows,
)
from stocksync.core.model import Change, Kind, show

_FALLS = 5
_TITLES = ("SKU", "product", "location", "now", "new", "kind")
_KINDS = {Kind.ZERO: WARN, Kind.DEACTIVATE: BAD, Kind.DELETE: BAD, Kind.INSERT: GOOD, Kind.UPDATE: ""}


def held_plan(plan: HeldPlan, limit: int) -> RenderableType:
    """Show what waits for a person or was decided, row by row, the largest falls first."""
    shown = _held_changes(worst_rows(plan, limit), guards=True)
    parts: list[RenderableType] = [*_head(plan), shown, *_and_more(len(plan.changes), limit)]
    if plan.decision is not Decision.WAITING:
        said = f"  {plan.decision} by {clean(plan.decided_by)}; {_follows(plan)}"
        parts.append(Text(said, style=FAINT))
    elif not plan.plan_id:
        said = "  only shown, not kept: `stocksync plan` keeps it, under an id to approve or reject"
        parts.append(Text(said, style=FAINT))
    else:
        parts.append(Text(f"  waits since {clock(plan.created_at)} {zone()}"))
        parts.append(Text.assemble("  right?  ", (f"stocksync approve {plan.plan_id}", "bold")))
        parts.append(Text.assemble("  wrong?  ", (f"stocksync reject {plan.plan_id}", "bold")))
    return Group(*parts)


def decided_line(plan: HeldPlan) -> Text:
    """Say in one line what was decided on a plan and is not done."""
    mark, style = (WELL, GOOD) if plan.decision is Decision.APPROVED else (WAITS, FAINT)
    follows = "the next poll writes it" if plan.decision is Decision.APPROVED else "the figures stay as they are"
    words = f"{plan.plan_id} {plan.decision} by {clean(plan.decided_by)}: {headline(plan)}; {follows}"
    return Text.assemble((f"{mark} ", style), (words, style))


def summary(plan: HeldPlan) -> RenderableType:
    """Show what a person decides on: counts, units, and the largest falls."""
    falls = worst_rows(plan, len(largest_falls(plan, _FALLS)))
    parts = [*_head(plan)]
    if falls:
        parts += [Text(f"  the largest falls of {cells(len(plan.changes))}:", style=FAINT), _held_changes(falls)]
    return Group(*parts)


def decided(plan: HeldPlan) -> Text:
    """Confirm a decision."""
    what = f"{plan.decision} by {clean(plan.decided_by)}: {headline(plan)} in {clean(plan.account)}"
    return Text.assemble(("✓ ", "green"), what, (f"; {_follows(plan)}", "dim"))


def decided_record(plan: HeldPlan) -> dict[str, object]:
    """Give a decision for machines, without its rows."""
    extent = extent_of(plan)
    return {
        "account": plan.account,
        "plan_id": plan.plan_id,
        "cause": plan.cause,
        "decision": plan.decision,
        "decided_by": plan.decided_by,
        "decided_at": plan.decided_at,
        "held_since": plan.created_at,
        "effect": headline(plan),
        "cells": extent.cells,
        "to_zero": extent.to_zero,
        "units": extent.units,
        "removed": extent.removed,
        "removed_units": extent.removed_units,
        "reasons": dict(plan.reasons),
    }


def decisions(plans: Sequence[HeldPlan]) -> RenderableType:
    """List decisions that touched a product, newest first, each with what it decided about that product."""
    parts = [Text("decided on", style="bold")]
    for plan in plans:
        when = f"{clock(plan.decided_at)} {zone()}" if plan.decided_at else ""
        style = GOOD if plan.decision is Decision.APPROVED else ""
        parts.append(Text.assemble(f"  {when}  ", (plan.decision.value, style), f" by {clean(plan.decided_by)}"))
        parts.append(Text(f"    plan {plan.plan_id}, which waited since {clock(plan.created_at)}", style=FAINT))
        for held in plan.changes[:_FALLS]:
            change = held.change
            what = Text.assemble("    ", clean(change.sku) or f"id {change.product_id}")
            if change.place:
                what.append(" @ ").append_text(located(change.place, held.location))
            before = "nothing" if change.before is None else show(change.before)
            parts.append(what.append(f": {before} → {show(change.after)}"))
        more = len(plan.changes) - _FALLS
        parts += [Text(f"    … and {count(more)} more", style=FAINT)] if more > 0 else []
    return Group(*parts)


def changes(rows: Sequence[Change], names: Mapping[int, str], limit: int, places: Mapping[str, str]) -> RenderableType:
    """Show changes row by row."""
    made = table(*_TITLES, right=("now", "new"))
    for change in rows[:limit]:
        made.add_row(*_change_row(change, names.get(change.product_id, ""), places.get(change.place, "")))
    return Group(made, *_and_more(len(rows), limit))


def _held_changes(rows: Sequence[HeldChange], *, guards: bool = False) -> Table:
    made = table(*_TITLES, *(("guard",) if guards else ()), right=("now", "new"))
    for held in rows:
        why = (", ".join(held.guards),) if guards else ()
        made.add_row(*_change_row(held.change, held.name, held.location), *why)
    return made


def _and_more(number: int, limit: int) -> Iterator[Text]:
    if number > limit:
        yield Text(f"  … and {count(number - limit)} more; --limit {number} shows all, --json too", style=FAINT)


def _head(plan: HeldPlan) -> Iterator[RenderableType]:
    yield Text.assemble((f"{WAITS} ", WARN), (f"held in {clean(plan.account)}: {headline(plan)}", "bold yellow"))
    if plan.cause == "heal":
        yield Text("  what was edited in the target would be put back", style=WARN)
    for guard, sentence in plan.reasons.items():
        yield Text(f"  {guard}: {clean(sentence)}", style=WARN)


def _follows(plan: HeldPlan) -> str:
    if plan.decision is Decision.REJECTED:
        return "its figures stay as they are until the facts change"
    return "the next audit, or `stocksync drift --heal`, follows" if plan.cause == "heal" else "the next cycle follows"


def largest_first(rows: Sequence[Change]) -> list[Change]:
    """Order changes by the size of the fall: what is lost from sale is what a person looks for."""
    return sorted(rows, key=lambda change: (_gain(change), change))


def extent_of_changes(rows: Sequence[Change]) -> str:
    """Sum changes up: `13 cells: 120 units less, 30 more; 2 go to zero`."""
    gains = [_gain(change) for change in rows]
    less, more = -sum(gain for gain in gains if gain < 0), sum(gain for gain in gains if gain > 0)
    zero = sum(change.kind is Kind.ZERO for change in rows)
    removed = sum(change.kind in {Kind.DEACTIVATE, Kind.DELETE} for change in rows)
    units = [f"{show(Decimal(less))} units less" if less else "", f"{show(Decimal(more))} units more" if more else ""]
    ends = [f"{count(zero)} to zero" if zero else "", f"{count(removed)} removed" if removed else ""]
    told = ", ".join(filter(None, (*units, *ends)))
    return cells(len(rows)) + (f": {told}" if told else "")


def _gain(change: Change) -> Decimal:
    before, after = (one if isinstance(one, Decimal) else Decimal(0) for one in (change.before, change.after))
    return after - before


def _change_row(change: Change, name: str, location: str) -> Iterator[Text]:
    yield Text(clean(change.sku) or f"id {change.product_id}")
    yield Text(clean(name))
    yield located(change.place, location)
    yield figure(change.before)
    yield figure(change.after)
    yield Text(change.kind.value, style=_KINDS[change.kind])
