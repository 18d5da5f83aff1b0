"""Accounts: status and audits."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stocksync.cli.format import cycle as cycle_format
from stocksync.cli.format.held_plan import decided_line
from stocksync.cli.format.words import (
    BAD,
    FAILS,
    FAINT,
    GOOD,
    WAITS,
    WARN,
    WELL,
    ago,
    clean,
    clock,
    count,
    facts,
    listed,
    orphaned,
    span,
    table,
)
from stocksync.core.answers import Health
from stocksync.core.drift import AuditReport
from stocksync.core.held_plan import Decision, HeldPlan, headline
from stocksync.core.model import show
from stocksync.core.report import CycleReport
from stocksync.ports import AccountStatus, Quarantined

_RECENT = 5
_OLDEST = 5
_EXAMPLES = 20


def status(values: Sequence[tuple[AccountStatus, Health]], now: datetime) -> RenderableType:
    """Show all accounts."""
    parts = [part for account, health in values for part in (_account(account, health, now), Text())]
    return Group(*parts[:-1])


def _account(value: AccountStatus, health: Health, now: datetime) -> RenderableType:
    lag = "no complete cycle yet" if health.lag is None else f"{span(health.lag)} behind"
    mark, style = (WELL, GOOD) if health.well else (FAILS, BAD)
    title = Text.assemble((f"{mark} ", style), (clean(value.account), "bold"), ("  ", ""), (lag, style))
    title.append(f"  (limit {span(health.limit)})", style=FAINT)
    parts: list[RenderableType] = [title, *(Text(f"  {clean(why)}", style=BAD) for why in health.reasons)]
    parts.append(_facts(value, now))
    if value.cycles:
        parts += [Text(), _cycles(value.cycles[:_RECENT])]
    if value.quarantine:
        parts += [Text(), _quarantine(value.quarantine[:_OLDEST], value.quarantined, now)]
    return Group(*parts)


def _facts(value: AccountStatus, now: datetime) -> Table:
    failures = value.consecutive_failures
    return facts(
        ("attempted", ago(value.last_attempt, now)),
        ("complete", ago(value.last_complete, now)),
        ("written", ago(value.last_push, now)),
        ("cells", _cells(value, now)),
        ("unpushed", Text(f"oldest {ago(value.oldest_unpushed, now)}" if value.oldest_unpushed else "", style=WARN)),
        ("failures", Text(f"{failures} in a row" if failures else "", style=BAD)),
        ("held", _held(value, now)),
        ("left over", orphaned(value.orphaned)),
        ("drift", _drift(value.audit, now)),
        ("writer", Text(_writer(value), style=FAINT)),
    )


def _cells(value: AccountStatus, now: datetime) -> Text:
    text = Text(f"{count(value.cells)} of {count(value.products)} products")
    if value.unknown:
        text.append(f", {count(value.unknown)} unknown (oldest {ago(value.oldest_unknown, now)})", style=WARN)
    if value.quarantined:
        text.append(f", {count(value.quarantined)} quarantined", style=WARN)
    return text


def _held(value: AccountStatus, now: datetime) -> Text:
    return Text("\n").join(_held_plan(plan, now) for plan in value.plans)


def _held_plan(plan: HeldPlan, now: datetime) -> Text:
    if plan.decision is not Decision.WAITING:
        return decided_line(plan)
    since = f"{headline(plan)}, since {ago(plan.created_at, now)}"
    why = [f"{guard}: {clean(sentence)}" for guard, sentence in plan.reasons.items()]
    lines = [since, *why, "look:     stocksync plan", f"release:  stocksync approve {plan.plan_id}"]
    return Text("\n".join(lines), style=WARN)


def _drift(audit: AuditReport | None, now: datetime) -> Text:
    if audit is None:
        return Text("not audited yet", style=FAINT)
    if audit.error:
        return Text(f"audit failed {ago(audit.ended_at or audit.started_at, now)}: {clean(audit.error)}", style=BAD)
    when = f" of {count(audit.compared)} cells, audited {ago(audit.ended_at or audit.started_at, now)}"
    found = listed(audit.cells, WARN)
    return (found if str(found) else Text("none", style=GOOD)).append(when, style=FAINT)


def _writer(value: AccountStatus) -> str:
    if not value.owner:
        return "nobody: no daemon runs for this account"
    until = f" until {clock(value.leased_until)}" if value.leased_until else ""
    return f"{clean(value.owner)}, epoch {value.epoch}{until}"


def _cycles(values: Sequence[CycleReport]) -> Table:
    made = table("  last cycles (UTC)", "", "read", "applied", "held", right=("read", "applied", "held"))
    for value in values:
        counts = value.counts
        line = cycle_format.headline(value, named=False)
        if value.error:
            line.append(f"  {clean(value.error)}", style=BAD)
        figures = (count(number) for number in (counts.read, counts.applied, counts.held))
        made.add_row(f"  {clock(value.started_at)}", line, *figures)
    return made


def _quarantine(values: Sequence[Quarantined], total: int, now: datetime) -> RenderableType:
    made = table("  quarantine", "product", "location", "reason", "tries", "since", right=("tries",))
    for value in values:
        product = str(value.product_id or "?")
        row = (f"  {value.side}", product, clean(value.place or ""), clean(value.reason), str(value.attempts))
        made.add_row(*(Text(cell) for cell in row), ago(value.first_at, now))
    more = [Text(f"  … and {count(total - len(values))} more; --json shows a hundred", style=FAINT)]
    return Group(made, *(more if total > len(values) else []))


def audit(value: AuditReport) -> RenderableType:
    """Show what an audit found."""
    if value.error:
        return Text.assemble((f"{FAILS} ", BAD), (clean(value.account), "bold"), (f"  {clean(value.error)}", BAD))
    found = sum(value.cells.values())
    mark, style = (WAITS, WARN) if found else (WELL, GOOD)
    differ = f"{count(found)} of {count(value.compared)} cells differ" if found else "no drift"
    title = Text.assemble((f"{mark} ", style), (clean(value.account), "bold"), ("  ", ""), (differ, style))
    if not found:
        title.append(f" in {count(value.compared)} cells", style=FAINT)
    if value.healed:
        title.append(f", {count(value.healed)} put back", style=GOOD)
    held = []
    if value.held:
        held = [
            Text(f"{WAITS} {count(value.held)} cells are held by a guard and not put back", style=WARN),
            Text(f"  look:     stocksync status\n  release:  stocksync approve {value.plan_id}", style=WARN),
        ]
    return Group(title, *_audit_tables(value), *held) if found else title


def _audit_tables(value: AuditReport) -> Iterator[RenderableType]:
    causes = table("  cause", "cells", "units", right=("cells", "units"))
    for cause, number in sorted(value.cells.items(), key=lambda item: -item[1]):
        units = value.units.get(cause)
        causes.add_row(f"  {cause}", count(number), "" if units is None else show(units))
    yield causes
    examples = table("  cell", "expected", "found", "cause", right=("expected", "found"))
    for each in value.examples[:_EXAMPLES]:
        examples.add_row(
            *(Text(text) for text in (f"  {clean(each.key)}", clean(each.expected), clean(each.found), each.cause))
        )
    yield from (Text(), examples) if value.examples else ()
