"""Schedules and workers, for people."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from stocksync.cli.format.elements import BAD, FAILS, FAINT, GOOD, WAITS, WARN, WELL, ago, clean, listed, many, table
from stocksync.core.fleet_status import FleetStatus, ScheduleStep, Verb
from stocksync.core.health import in_words

_SHOWN = 200
_VERBS = {
    Verb.CREATE: ("+", GOOD), Verb.CHANGE: ("~", WARN), Verb.PAUSE: ("=", WARN), Verb.RESUME: (">", GOOD),
    Verb.DELETE: ("-", BAD),
}  # fmt: skip
_STATES = {"waits": (WELL, GOOD), "paused": (WAITS, WARN), "late": (FAILS, BAD), "missing": (FAILS, BAD)}


def steps(found: Sequence[ScheduleStep]) -> RenderableType:
    """Show what `fleet apply` does, a line a schedule; of thousands the first ones."""
    if not found:
        return Text("the schedules are as the configuration wants them")
    lines = []
    for one in found[:_SHOWN]:
        sign, style = _VERBS[one.verb]
        what = f"  {one.kind:<5}  {clean(one.account)}  "
        lines.append(Text.assemble((f"{sign} {one.verb:<6}", style), what, (one.why, FAINT)))
    if (more := len(found) - _SHOWN) > 0:
        lines.append(Text(f"… and {many(more, 'more schedule')}", style=FAINT))
    return Group(*lines, Text(), in_short(found))


def in_short(found: Sequence[ScheduleStep]) -> Text:
    """Count what is done: `20 create, 2 delete`."""
    return listed(Counter(str(one.verb) for one in found))


def status(found: FleetStatus) -> RenderableType:
    """Show the workers, and every schedule that is not simply waiting for its time."""
    workers = table("worker", "asked for work")
    for worker in found.workers:
        workers.add_row(clean(worker.identity), ago(worker.last_asked, found.at))
    nobody = Text(f"{FAILS} no worker lives: stocksync worker", style=BAD)
    parts: list[RenderableType] = [workers if found.workers else nobody, Text()]
    states = Counter(one.state for one in found.schedules)
    well = Text(f"{many(len(found.schedules), 'schedule')}: ")
    parts.append(well.append_text(listed(states)))
    odd = [one for one in found.schedules if one.state != "waits"]
    if odd:
        rows = table("", "account", "", "every", "last started", "")
        for one in odd[:_SHOWN]:
            mark, style = _STATES[one.state]
            last = ago(one.last, found.at)
            state = f"{one.state}: {clean(one.note)}" if one.note else one.state
            why = f"late by {in_words(one.late_by)}" if one.late_by else state
            rows.add_row(Text(mark, style=style), clean(one.account), one.kind, in_words(one.every), last, why)
        parts.append(rows)
    if len(odd) > _SHOWN:
        parts.append(Text(f"… and {many(len(odd) - _SHOWN, 'more schedule')}; --json shows all", style=FAINT))
    if any(one.state == "missing" for one in odd) or found.strays:
        strays = f"{many(len(found.strays), 'schedule')} of accounts that are not configured; " if found.strays else ""
        parts.append(Text(f"{strays}make them equal: stocksync fleet apply", style=WARN))
    return Group(*parts)
