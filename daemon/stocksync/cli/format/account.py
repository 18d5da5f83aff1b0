"""Accounts: status and audits."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stocksync.cli.format import cycle as cycle_format
from stocksync.cli.format.elements import (
    BAD,
    FAILS,
    FAINT,
    GOOD,
    WAITS,
    WARN,
    WELL,
    about_a_held_plan,
    ago,
    cells,
    clean,
    clock,
    count,
    facts,
    listed,
    located,
    many,
    orphaned,
    table,
    zone,
)
from stocksync.cli.format.held_plan import decided_line
from stocksync.core.answers import Health
from stocksync.core.drift import AuditReport
from stocksync.core.health import in_words, worst_first
from stocksync.core.held_plan import Decision, HeldPlan, headline
from stocksync.core.model import show
from stocksync.core.report import CycleReport
from stocksync.ports import AccountStatus

_RECENT = 5
_OLDEST = 5
_EXAMPLES = 20
_POLLED = timedelta(minutes=30)
_LAGGING = {"fresh", "stale", "never complete"}
"""Words that the lag says already."""


def status(values: Sequence[tuple[AccountStatus, Health]], now: datetime) -> RenderableType:
    """Show all accounts, those in trouble first."""
    parts = [part for account, health in worst_first(values) for part in (_account(account, health, now), Text())]
    return Group(*parts[:-1])


def _account(value: AccountStatus, health: Health, now: datetime) -> RenderableType:
    lag = "no complete cycle yet" if health.lag is None else f"{in_words(health.lag)} behind"
    said = lag if health.word in _LAGGING else f"{health.word}, {lag}"
    mark, style = (WAITS if value.waiting else WELL, GOOD) if health.well else (FAILS, BAD)
    title = Text.assemble((f"{mark} ", style), (clean(value.account), "bold"))
    title.append(f"  {clean(value.title)}" if value.title else "")
    title.append(f"  {said}", style=style)
    title.append(f"  (limit {in_words(health.limit)})", style=FAINT)
    worry = WARN if health.well else BAD
    parts: list[RenderableType] = [title, *(Text(f"  {clean(why)}", style=worry) for why in health.reasons)]
    parts.append(_facts(value, now))
    if value.cycles:
        parts += [Text(), *_cycles(value.cycles[:_RECENT])]
    if value.quarantine:
        parts += [Text(), Text("  set aside, the oldest first", style="bold")]
    for one in value.quarantine[:_OLDEST]:
        product = one.sku or (f"product {one.product_id}" if one.product_id else "a row without an id")
        where = f" @ {located(one.place, one.location)}" if one.place else ""
        tried = f"  {one.side}, tried {many(one.attempts, 'time')}, for {in_words(now - one.first_at)}"
        parts.append(Text.assemble((f"  {clean(product)}{where}", "bold"), (tried, FAINT)))
        parts.append(Text(f"    {clean(one.reason)}", style=WARN))
    more = value.quarantined - min(_OLDEST, len(value.quarantine))
    if value.quarantine and more > 0:
        parts.append(Text(f"  … and {count(more)} more; --json shows a hundred", style=FAINT))
    return Group(*parts)


def _facts(value: AccountStatus, now: datetime) -> Table:
    failures = value.consecutive_failures
    stock = Text(f"{count(value.cells)} in {many(value.products, 'product')}")
    if value.unknown:
        stock.append(f", {count(value.unknown)} unknown (oldest {ago(value.oldest_unknown, now)})", style=WARN)
    if value.quarantined:
        stock.append(f", {count(value.quarantined)} quarantined", style=WARN)
    return facts(
        ("attempted", ago(value.last_attempt, now)),
        ("complete", ago(value.last_complete, now)),
        ("written", ago(value.last_push, now)),
        ("cells", stock),
        ("unpushed", Text(f"oldest {ago(value.oldest_unpushed, now)}" if value.oldest_unpushed else "", style=WARN)),
        ("failures", Text(f"{failures} in a row" if failures else "", style=BAD)),
        ("held", Text("\n").join(_held_plan(plan, now) for plan in value.plans)),
        ("left over", orphaned(value.orphaned)),
        ("drift", _drift(value.audit, now)),
        ("writer", Text(_writer(value, now), style=FAINT)),
    )


def _held_plan(plan: HeldPlan, now: datetime) -> Text:
    if plan.decision is not Decision.WAITING:
        return decided_line(plan)
    since = f"{headline(plan)}, since {ago(plan.created_at, now)}"
    why = [f"{guard}: {clean(sentence)}" for guard, sentence in plan.reasons.items()]
    return Text.assemble(("\n".join([since, *why, ""]), WARN), about_a_held_plan(plan.plan_id))


def _drift(audit: AuditReport | None, now: datetime) -> Text:
    if audit is None:
        return Text("not audited yet", style=FAINT)
    if audit.error:
        return Text(f"audit failed {ago(audit.ended_at or audit.started_at, now)}: {clean(audit.error)}", style=BAD)
    when = f" in {cells(audit.compared)}, audited {ago(audit.ended_at or audit.started_at, now)}"
    found = listed(audit.cells, WARN if audit.drifted or audit.strange else "")
    return (found if str(found) else Text("none", style=GOOD)).append(when, style=FAINT)


def _writer(value: AccountStatus, now: datetime) -> str:
    if not value.owner:
        # In a fleet an account has a writer only while it is polled.
        alive = value.last_attempt is not None and now - value.last_attempt < _POLLED
        return (
            "nobody just now: a fleet between two polls, or a daemon that ended"
            if alive
            else "nobody: no daemon and no worker runs for this account"
        )
    until = f" until {clock(value.leased_until)} {zone()}" if value.leased_until else ""
    return f"{clean(value.owner)}, epoch {value.epoch}{until}"


def _cycles(values: Sequence[CycleReport]) -> Iterator[RenderableType]:
    right = ("read", "applied", "held", "set aside")
    made = table(f"  last cycles ({zone()})", "", *right, right=right)
    for value in values:
        counts = value.counts
        figures = (count(number) for number in (counts.read, counts.applied, counts.held, counts.quarantined))
        said = cycle_format.headline(value, named=False)
        made.add_row(Text(f"  {clock(value.started_at)}", no_wrap=True), said, *figures)
    yield made
    # Each error once, below the table: five polls that fail alike would say it five times.
    errors = Counter(clean(value.error) for value in values if value.error)
    for error, times in errors.items():
        yield Text.assemble((f"  {error}", BAD), (f"  ({times} times)" if times > 1 else "", FAINT))


def audit(value: AuditReport, limit: int = _EXAMPLES) -> RenderableType:
    """Show what an audit found: what others did, apart from what we know and have not written."""
    if value.error:
        return Text.assemble((f"{FAILS} ", BAD), (clean(value.account), "bold"), (f"  {clean(value.error)}", BAD))
    found = sum(value.cells.values())
    mark, style = (WAITS, WARN) if value.drifted or value.strange else (WELL, GOOD)
    differ = f"{count(value.drifted)} of {cells(value.compared)} differ" if value.drifted else "no drift"
    title = Text.assemble((f"{mark} ", style), (clean(value.account), "bold"), ("  ", ""), (differ, style))
    if not value.drifted:
        title.append(f" in {cells(value.compared)}", style=FAINT)
    if value.healed:
        title.append(f", {count(value.healed)} put back", style=GOOD)
    if value.strange:
        title.append(f"; {many(value.strange, 'row')} of no cell of ours", style=WARN)
    if value.waiting:
        title.append(f"; {cells(value.waiting)} wait to be written", style=FAINT)
    held = []
    if value.held:
        held = [
            Text(f"{WAITS} {count(value.held)} cells are held by a guard and not put back", style=WARN),
            about_a_held_plan(value.plan_id, "  "),
        ]
    return Group(title, *_audit_tables(value, limit), *held) if found else title


def _audit_tables(value: AuditReport, limit: int) -> Iterator[RenderableType]:
    causes = table("  cause", "cells", "units", right=("cells", "units"))
    for cause, number in sorted(value.cells.items(), key=lambda item: -item[1]):
        units = value.units.get(cause)
        causes.add_row(f"  {cause}", count(number), "" if units is None else show(units))
    yield causes
    examples = table("  cell", "expected", "found", "cause", right=("expected", "found"))
    for each in value.examples[:limit]:
        cell = Text("  ").append_text(located(each.key, each.location))
        examples.add_row(cell, *(Text(text) for text in (clean(each.expected), clean(each.found), each.cause)))
    yield from (Text(), examples) if value.examples else ()
    left = sum(value.cells.values()) - min(limit, len(value.examples))
    if left > 0:
        yield Text(f"  … and {count(left)} more; --limit shows a hundred, --json too", style=FAINT)
