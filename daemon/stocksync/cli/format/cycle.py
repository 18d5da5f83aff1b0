"""Cycle reports and previews."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stocksync.cli.format.elements import (
    BAD,
    FAILS,
    FAINT,
    GOOD,
    WAITS,
    WARN,
    WELL,
    about_a_held_plan,
    cells,
    clean,
    count,
    facts,
    listed,
    many,
    orphaned,
    seconds,
)
from stocksync.cli.format.held_plan import changes, decided_line, extent_of_changes, held_plan, largest_first
from stocksync.core.answers import Preview
from stocksync.core.health import NEW_KEY
from stocksync.core.model import Verdict
from stocksync.core.report import CycleReport, Outcome

_WORDS: Mapping[Outcome, tuple[str, str, str]] = {
    Outcome.DONE: (WELL, GOOD, "done"),
    Outcome.HELD: (WAITS, WARN, "done, and part of it waits for you"),
    Outcome.EMPTY: (WAITS, WARN, 'Qoyod answered "We found nothing": nothing was written'),
    Outcome.FAILED: (FAILS, BAD, "failed"),
    Outcome.UNAUTHORIZED: (FAILS, BAD, "Qoyod refuses the credential"),
    Outcome.DEADLINE: (FAILS, BAD, "took longer than its deadline"),
    Outcome.STOPPED: (WAITS, WARN, "stopped before its end"),
}


def report(value: CycleReport) -> RenderableType:
    """Show how one cycle went."""
    if value.outcome is Outcome.UNAUTHORIZED:
        return Group(headline(value), Text(f"  → {NEW_KEY}", style="bold"), _details(value))
    if not value.counts.read:
        return Group(headline(value), _details(value))
    counts = value.counts
    parts = (
        ("read", counts.read, "bold"),
        ("= unchanged", counts.unchanged, ""),
        ("+ applied", counts.applied, GOOD),
        ("+ held", counts.held, WARN),
        ("+ quarantined", counts.quarantined, WARN),
        ("+ ignored", counts.ignored, ""),
        ("+ unpushed", counts.unpushed, BAD),
    )
    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in parts:
        grid.add_column(justify="right", no_wrap=True)
    grid.add_row(*(Text(f"  {title}" if title == "read" else title, style=FAINT) for title, _, _ in parts))
    grid.add_row(*(Text(count(number), style=style if number else FAINT) for _, number, style in parts))
    return Group(headline(value), Text(), grid, Text(), _details(value))


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
        extent = extent_of_changes(value.apply)
        parts += [
            Text(f"would write {extent}", style="bold"),
            changes(largest_first(value.apply), value.names, limit, value.places),
        ]
    else:
        parts.append(Text("would write nothing", style="bold"))
    if value.report.refusal:
        mark, style = (FAILS, BAD) if value.report.unwell else (WAITS, WARN)
        parts += [Text(), Text(f"{mark} {clean(value.report.refusal)}", style=style)]
    if value.report.orphaned:
        parts += [Text(), Text.assemble((f"{WAITS} ", WARN), orphaned(value.report.orphaned))]
    for plan in (value.held, value.healing):
        parts += [Text(), held_plan(plan, limit)] if plan is not None else []
    if value.decided:
        parts += [Text(), *map(decided_line, value.decided)]
    return Group(*parts)


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


def _details(value: CycleReport) -> RenderableType:
    held = listed(value.guards, FAINT)
    if value.plan_id:
        held = Text.assemble((f"{value.effect}\n", WARN), about_a_held_plan(value.plan_id))
    catalogue = f"{many(value.total, 'product')}, " if value.total is not None else ""
    phases = ", ".join(f"{clean(phase)} {seconds(taken)}" for phase, taken in value.phases.items())
    return facts(
        ("error", Text(clean(value.error), style=BAD)),
        ("reading", f"{value.verdict or 'none'}: {catalogue}{many(value.pages, 'page')}"),
        ("because", Text(clean("; ".join(value.reasons)), style=WARN)),
        ("written", listed(value.changes)),
        ("held", held),
        ("set aside", Text("" if value.unwell else clean(value.refusal), style=WARN)),
        ("left over", orphaned(value.orphaned)),
        ("ignored", _plain(value.ignored)),
        ("products", _plain(value.products)),
        ("policy", _plain(value.discrepancies)),
        ("cross-check", listed(value.cross_checks)),
        ("time", phases),
        ("cycle", Text(value.cycle_id, style=FAINT)),
    )


def _plain(counts: Mapping[str, int]) -> Text:
    """List counts by names that are no labels of a metric here."""
    return listed({name.replace("_", " "): number for name, number in counts.items()})
