"""Cycle reports and previews."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stocksync.cli.format.words import (
    BAD,
    FAILS,
    FAINT,
    GOOD,
    WAITS,
    WARN,
    WELL,
    cells,
    clean,
    clock,
    count,
    facts,
    figure,
    listed,
    many,
    orphaned,
    seconds,
    table,
    zone,
)
from stocksync.core.answers import Preview
from stocksync.core.guards import Decision, HeldPlan
from stocksync.core.health import NEW_KEY
from stocksync.core.model import Change, Kind, Verdict
from stocksync.core.report import Counts, CycleReport, Outcome

_WORDS: Mapping[Outcome, tuple[str, str, str]] = {
    Outcome.DONE: (WELL, GOOD, "done"),
    Outcome.HELD: (WAITS, WARN, "done, and part of it waits for you"),
    Outcome.EMPTY: (WAITS, WARN, 'Qoyod answered "We found nothing": nothing was written'),
    Outcome.FAILED: (FAILS, BAD, "failed"),
    Outcome.UNAUTHORIZED: (FAILS, BAD, "Qoyod refuses the credential"),
    Outcome.DEADLINE: (FAILS, BAD, "took longer than its deadline"),
    Outcome.STOPPED: (WAITS, WARN, "stopped before its end"),
}
_KINDS = {Kind.ZERO: WARN, Kind.DEACTIVATE: BAD, Kind.DELETE: BAD, Kind.INSERT: GOOD, Kind.UPDATE: ""}


def report(value: CycleReport) -> RenderableType:
    """Show how one cycle went."""
    if value.outcome is Outcome.UNAUTHORIZED:
        return Group(headline(value), Text(f"  → {NEW_KEY}", style="bold"), _details(value))
    counts: list[RenderableType] = [Text(), _counts(value.counts), Text()] if value.counts.read else []
    return Group(headline(value), *counts, _details(value))


def headline(value: CycleReport, *, named: bool = True) -> Text:
    """Say in one line how a cycle went."""
    mark, style, words = _WORDS[value.outcome]
    read_badly = value.outcome is Outcome.DONE and value.verdict not in {None, Verdict.COMPLETE}
    if read_badly:
        mark, style, words = WAITS, WARN, f"done, but the reading is {value.verdict}"
    if value.unwell:
        mark, style, words = FAILS, BAD, clean(value.refusal)
    name = f"{clean(value.account)}  " if named else ""
    line = Text.assemble((f"{mark} ", style), (name, "bold"), (words, style))
    if value.ended_at is not None:
        line.append(f"  in {seconds((value.ended_at - value.started_at).total_seconds())}", style=FAINT)
    return line


def preview(value: Preview, limit: int) -> RenderableType:
    """Show what a cycle would do now, row by row."""
    parts: list[RenderableType] = [_verdict_line(value), Text()]
    if value.apply:
        parts += [
            Text(f"would write {cells(len(value.apply))}", style="bold"),
            _changes(value.apply, value.names, limit),
        ]
    else:
        parts.append(Text("would write nothing", style="bold"))
    if value.report.refusal:
        mark, style = (FAILS, BAD) if value.report.unwell else (WAITS, WARN)
        parts += [Text(), Text(f"{mark} {clean(value.report.refusal)}", style=style)]
    if value.report.orphaned:
        parts += [Text(), Text.assemble((f"{WAITS} ", WARN), orphaned(value.report.orphaned))]
    if value.held is not None:
        parts += [Text(), held_plan(value.held, value.names, limit)]
    return Group(*parts)


def held_plan(plan: HeldPlan, names: Mapping[int, str], limit: int) -> RenderableType:
    """Show what waits for a person, why, and what to type."""
    title = Text.assemble(
        (f"{WAITS} ", WARN), (f"held: {cells(len(plan.changes))} of {clean(plan.account)}", "bold yellow")
    )
    reasons = [Text(f"  {guard}: {clean(sentence)}", style=WARN) for guard, sentence in plan.reasons.items()]
    guards = [held.guard.value for held in plan.changes]
    rows = _changes([held.change for held in plan.changes], names, limit, guards)
    return Group(title, *reasons, rows, _what_to_type(plan))


def _what_to_type(plan: HeldPlan) -> Text:
    if plan.decision is not Decision.WAITING:
        return Text(f"  {plan.decision} by {clean(plan.decided_by)}; the next cycle follows", style=FAINT)
    since = f"  waits since {clock(plan.created_at)} {zone()}. Right? "
    commands = (
        (f"stocksync approve {plan.plan_id}", "bold"),
        ("   Wrong? ", ""),
        (f"stocksync reject {plan.plan_id}", "bold"),
    )
    return Text.assemble(since, *commands)


def _verdict_line(value: Preview) -> Text:
    read = value.report
    complete = read.verdict is Verdict.COMPLETE
    line = Text.assemble(
        (f"{WELL if complete else WAITS} ", GOOD if complete else WARN),
        (clean(read.account), "bold"),
        f"  read {cells(read.counts.read)} on {many(read.pages, 'page')}: {read.verdict or 'no reading'}",
    )
    if read.reasons:
        line.append(f" ({clean('; '.join(read.reasons))})", style=WARN)
    if read.error:
        line.append(f": {clean(read.error)}", style=BAD)
    return line


def _changes(
    changes: Sequence[Change], names: Mapping[int, str], limit: int, guards: Sequence[str] | None = None
) -> RenderableType:
    titles = ("SKU", "product", "location", "now", "new", "kind", *(("guard",) if guards else ()))
    made = table(*titles, right=("now", "new"))
    for index, change in enumerate(changes[:limit]):
        made.add_row(*_change_row(change, names), *((guards[index],) if guards else ()))
    left = len(changes) - limit
    more = [Text(f"  … and {count(left)} more; --limit {len(changes)} shows all, --json too", style=FAINT)]
    return Group(made, *(more if left > 0 else []))


def _change_row(change: Change, names: Mapping[int, str]) -> Iterator[Text]:
    yield Text(clean(change.sku) or f"id {change.product_id}")
    yield Text(clean(names.get(change.product_id, "")))
    yield Text(clean(change.place))
    yield figure(change.before)
    yield figure(change.after)
    yield Text(change.kind.value, style=_KINDS[change.kind])


def _counts(value: Counts) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0))
    parts = (
        ("read", value.read, "bold"),
        ("= unchanged", value.unchanged, ""),
        ("+ applied", value.applied, GOOD),
        ("+ held", value.held, WARN),
        ("+ quarantined", value.quarantined, WARN),
        ("+ ignored", value.ignored, ""),
        ("+ unpushed", value.unpushed, BAD),
    )
    for _ in parts:
        grid.add_column(justify="right")
    grid.add_row(*(Text(f"  {title}" if title == "read" else title, style=FAINT) for title, _, _ in parts))
    grid.add_row(*(Text(count(number), style=style if number else FAINT) for _, number, style in parts))
    return grid


def _details(value: CycleReport) -> RenderableType:
    catalogue = f"{many(value.total, 'product')}, " if value.total is not None else ""
    phases = ", ".join(f"{clean(phase)} {seconds(taken)}" for phase, taken in value.phases.items())
    return facts(
        ("error", Text(clean(value.error), style=BAD)),
        ("reading", f"{value.verdict or 'none'}: {catalogue}{many(value.pages, 'page')}"),
        ("because", Text(clean("; ".join(value.reasons)), style=WARN)),
        ("written", listed(value.changes)),
        ("held", _held(value)),
        ("set aside", Text("" if value.unwell else clean(value.refusal), style=WARN)),
        ("left over", orphaned(value.orphaned)),
        ("products", listed(value.products)),
        ("policy", listed(value.discrepancies)),
        ("cross-check", listed(value.cross_checks)),
        ("time", phases),
        ("cycle", Text(value.cycle_id, style=FAINT)),
    )


def _held(value: CycleReport) -> Text:
    text = listed(value.guards, WARN)
    if value.plan_id:
        text.append(f"  look: stocksync plan   release: stocksync approve {value.plan_id}")
    return text
