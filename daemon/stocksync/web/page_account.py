"""One account on the status page."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from markupsafe import Markup

from stocksync.core.answers import Health
from stocksync.core.drift import AuditReport
from stocksync.core.health import in_words
from stocksync.core.held_plan import Decision, HeldChange, HeldPlan, headline, worst_rows
from stocksync.core.model import Verdict, show
from stocksync.core.report import CycleReport, Outcome
from stocksync.core.status import AccountStatus, Quarantined

_MOST_ROWS = 20
_MOODS = {Outcome.DONE: "good", Outcome.HELD: "warn", Outcome.EMPTY: "warn", Outcome.STOPPED: "warn"}
_CARD = Markup("""\
<article class="card {card}" aria-label="account {name}">
<div class="top"><h2><bdi>{name}</bdi></h2> <span class="pill {mood}">{word}</span>
<span class="soft">{writer}</span></div>
{reasons}
<dl>{facts}</dl>
{parts}
</article>
""")
_TYPE = Markup('<code class="type">{}</code>')
_TO_SAY = {
    Decision.WAITING: ("approve", "reject"),
    Decision.APPROVED: ("reject",),
    Decision.REJECTED: ("approve",),
}
"""What a person may still type."""
_FACT = Markup('<div><dt>{}</dt><dd class="{}">{}<small>{}</small></dd></div>')
_PART = Markup('<section class="part">{}</section>')
_DETAILS = Markup(
    '<section class="part"><details id="{}"><summary>{} <span class="soft">{}</span></summary>{}</details></section>'
)
_BECAUSE = Markup('<tr class="because"><td></td><td colspan="8" class="why"><bdi class="{}">{}</bdi></td></tr>')
_BDI = Markup("<bdi>{}</bdi>")


def account(status: AccountStatus, health: Health, now: datetime) -> Markup:
    """Give one account's card."""
    mood, word = "good" if health.well else "bad", _pill(status, health)
    parts = (
        joined(_held(plan, status.places, now) for plan in status.plans),
        _cycles(status.cycles, now),
        _quarantine(status, now),
        _drift(status.account, status.audit, now),
    )
    return _CARD.format(
        card="" if health.well else "bad",
        name=status.account,
        mood=mood,
        word=word,
        writer=_writer(status, now),
        reasons=_reasons(health),
        facts=joined(_facts(status, health, now)),
        parts=joined(parts),
    )


def joined(pieces: Iterable[Markup | str], separator: str = "") -> Markup:
    """Join pieces; what is not markup yet is escaped."""
    return Markup(separator).join(pieces)  # noqa: S704  the separators are ours


def moment(at: datetime) -> Markup:
    """Give an instant with its date, for people and machines."""
    aware = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(aware.isoformat(), f"{aware:%Y-%m-%d %H:%M:%S} UTC")


def clock(at: datetime) -> Markup:
    """Give an instant as a time of day; its date stands in the machine's form."""
    aware = at.astimezone(UTC)
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(aware.isoformat(), f"{aware:%H:%M:%S} UTC")


def number(value: int | str | None) -> Markup:
    """Give a figure, set right; what is not known is said so and is no zero."""
    if value is None:
        return Markup('<td class="n soft">unknown</td>')
    zero = " zero" if value in {0, "0"} else ""
    text = f"{value:,}" if isinstance(value, int) else value
    return Markup('<td class="n{}">{}</td>').format(zero, text)


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """Give a table; a head that begins with `*` is over numbers; cells and rows may be markup already."""
    heads = joined(
        Markup('<th scope="col" class="{}">{}</th>').format("n" if name[:1] == "*" else "", name.lstrip("*"))
        for name in head
    )
    body = joined(row if isinstance(row, Markup) else _row(row) for row in rows)
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{0}"><table><caption>{0}</caption>'
        "<thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>"
    ).format(caption, heads, body)


def _row(cells: Sequence[object]) -> Markup:
    return Markup("<tr>{}</tr>").format(joined(map(_cell, cells)))


def _cell(value: object) -> Markup:
    if isinstance(value, Markup) and value.startswith("<td"):
        return value
    return Markup("<td>{}</td>").format(value)


def _pill(status: AccountStatus, health: Health) -> Markup | str:
    if health.word == "credential refused" and status.unauthorized_since is not None:
        return Markup("{} since {}").format(health.word, clock(status.unauthorized_since))
    return health.word if health.lag is None else f"{health.word}, {in_words(health.lag)} ago"


def _writer(status: AccountStatus, now: datetime) -> Markup:
    if not status.owner or status.leased_until is None or status.leased_until < now:
        return Markup("no process writes for it now")
    return Markup("written by <bdi>{}</bdi>, epoch {}").format(status.owner, status.epoch)


def _reasons(health: Health) -> Markup:
    if not health.reasons:
        return Markup("")
    items = joined(Markup("<li>{}</li>").format(reason) for reason in health.reasons)
    return Markup('<ul class="reasons {}">{}</ul>').format("" if health.well else "bad", items)


def _facts(status: AccountStatus, health: Health, now: datetime) -> list[Markup]:
    held = sum(len(plan.changes) for plan in status.waiting)
    drifted = status.audit.drifted + status.audit.strange if status.audit else None
    lag = in_words(health.lag) if health.lag is not None else "none yet"
    return [
        _FACT.format("Lag", "" if health.well else "bad", lag, f"limit {in_words(health.limit)}"),
        _FACT.format("Last write", "", _ago(status.last_push, now, "none yet"), "to the target"),
        _FACT.format("Cells", "", f"{status.cells:,}", f"in {status.products:,} products"),
        _FACT.format("Held", "warn" if held else "", f"{held:,}", "wait for a person" if held else ""),
        _FACT.format("Quarantined", "warn" if status.quarantined else "", f"{status.quarantined:,}", ""),
        _FACT.format("Unknown", "", f"{status.unknown:,}", _since(status.oldest_unknown, now)),
        _FACT.format(
            "Not yet written",
            "warn" if status.oldest_unpushed else "",
            in_words(now - status.oldest_unpushed) if status.oldest_unpushed else "nothing",
            "oldest change waiting" if status.oldest_unpushed else "",
        ),
        _FACT.format(
            "Drift",
            "warn" if drifted else "",
            "unknown" if drifted is None else f"{drifted:,}",
            "no audit yet" if drifted is None else "cells",
        ),
        *(
            _FACT.format("Left over", "warn", f"{show(units)} units", f"at {place}, which no location feeds any more")
            for place, units in sorted(status.orphaned.items())
        ),
    ]


def _ago(at: datetime | None, now: datetime, never: str) -> str:
    return never if at is None else f"{in_words(now - at)} ago"


def _since(at: datetime | None, now: datetime) -> str:
    return "" if at is None else f"oldest for {in_words(now - at)}"


def _held(plan: HeldPlan, places: Mapping[str, str], now: datetime) -> Markup:
    reasons = joined(Markup("<li>{}</li>").format(reason) for reason in plan.reasons.values())
    rows = [_held_row(held, places) for held in worst_rows(plan, _MOST_ROWS)]
    more = len(plan.changes) - len(rows)
    rest = Markup('<p class="soft">and {} more: stocksync plan</p>').format(f"{more:,}") if more else ""
    return Markup(
        '<section class="part {}"><h3>{}</h3><p>{} held for {}{}</p><ul>{}</ul>'
        "<p>{}</p>"
        '<details id="held-{}-{}-{}"><summary>Show the changes</summary>{}{}</details></section>'
    ).format(
        "held" if plan.decision is Decision.WAITING else "soft",
        headline(plan),
        _changes(len(plan.changes)),
        in_words(now - plan.created_at),
        _decision(plan),
        reasons,
        joined(_TYPE.format(f"stocksync {verb} {plan.plan_id}") for verb in _TO_SAY[plan.decision]),
        plan.account,
        plan.plan_id,
        plan.decision.value,
        table("Held changes", ("Change", "Product", "Location", "Guard"), rows),
        rest,
    )


def _held_row(held: HeldChange, places: Mapping[str, str]) -> Sequence[object]:
    change = held.change
    location = _located(change.place, places.get(change.place, ""))
    return (_BDI.format(change), _BDI.format(held.name), location, ", ".join(held.guards))


def _changes(count: int) -> str:
    return "1 change" if count == 1 else f"{count:,} changes"


def _decision(plan: HeldPlan) -> Markup:
    if plan.decision is Decision.WAITING:
        return Markup(", waiting for a person")
    acts = "audit" if plan.cause == "heal" else "poll"
    follows = f"the next {acts} acts on it" if plan.decision is Decision.APPROVED else "nothing of it is written"
    when = Markup(" at {}").format(moment(plan.decided_at)) if plan.decided_at else ""
    return Markup(", {} by {}{}: {}").format(plan.decision.value, plan.decided_by, when, follows)


_CYCLE_HEAD = ("Started", "Result", "Reading", "*Pages", "*Read", "*Applied", "*Held", "*Set aside", "*Seconds")


def _cycles(cycles: Sequence[CycleReport], now: datetime) -> Markup:
    if not cycles:
        return _PART.format(Markup('<p class="soft">No poll has run yet.</p>'))
    rows: list[Sequence[object]] = []
    for cycle in cycles:
        rows.append(_cycle(cycle, now))
        why = cycle.error or "; ".join(cycle.reasons)
        if why:
            rows.append(_BECAUSE.format("bad" if cycle.error else "", why[:500]))
    return _PART.format(table("Last polls", _CYCLE_HEAD, rows))


def _cycle(cycle: CycleReport, now: datetime) -> Sequence[object]:
    running = cycle.ended_at is None
    mood = "" if running else _MOODS.get(cycle.outcome, "bad")
    word = "running" if running else cycle.outcome.value
    counts = cycle.counts
    seconds = ((cycle.ended_at or now) - cycle.started_at).total_seconds()
    return (
        clock(cycle.started_at),
        Markup('<span class="dot {}">{}</span>').format(mood, word),
        _verdict(cycle.verdict),
        number(cycle.pages),
        number(counts.read),
        number(counts.applied),
        number(counts.held),
        number(counts.quarantined),
        number(f"{seconds:.1f}"),
    )


def _verdict(verdict: Verdict | None) -> Markup:
    if verdict is None:
        return Markup('<span class="soft">none</span>')
    return Markup('<span class="dot {}">{}</span>').format("good" if verdict is Verdict.COMPLETE else "warn", verdict)


def _quarantine(status: AccountStatus, now: datetime) -> Markup:
    if not status.quarantined:
        return Markup("")
    rows = [_set_aside(row, now) for row in status.quarantine[:_MOST_ROWS]]
    more = status.quarantined - len(rows)
    rest = Markup('<p class="soft">and {} more: stocksync status --json</p>').format(f"{more:,}") if more > 0 else ""
    head = ("Product", "Location", "Side", "Reason", "For", "*Attempts")
    content = table("Quarantine, oldest first", head, rows) + rest
    count = f"{status.quarantined:,}"
    return _DETAILS.format(f"quarantine-{status.account}", "Quarantine", count, content)


def _set_aside(row: Quarantined, now: datetime) -> Sequence[object]:
    return (
        _BDI.format(row.sku or row.product_id or "no id"),
        _located(row.place, row.location),
        row.side,
        Markup('<td class="why"><bdi>{}</bdi></td>').format(row.reason[:500]),
        in_words(now - row.first_at),
        number(row.attempts),
    )


def _located(place: str | None, name: str) -> Markup:
    """Give a location value with the name that people know."""
    return Markup('<bdi>{}</bdi> <bdi class="soft">{}</bdi>').format(place or "all", "" if name == place else name)


def _drift(name: str, audit: AuditReport | None, now: datetime) -> Markup:
    if audit is None:
        return Markup("")
    if audit.error:
        content: Markup = Markup("<p>The last audit failed: <bdi>{}</bdi></p>").format(audit.error[:500])
        return _DETAILS.format(f"drift-{name}", "Drift", "unknown", content)
    rows = [
        (
            Markup('<bdi>{}</bdi> <bdi class="soft">{}</bdi>').format(each.key, each.location),
            each.cause.value,
            _BDI.format(each.expected),
            _BDI.format(each.found),
        )
        for each in audit.examples[:_MOST_ROWS]
    ]
    causes = ", ".join(f"{cause.replace('_', ' ')}: {count:,}" for cause, count in audit.cells.items() if count)
    said = f"{causes or 'none'}; {audit.compared:,} cells compared {_ago(audit.ended_at, now, 'just now')}"
    if not rows:
        return _PART.format(Markup('<p><strong>Drift</strong> <span class="soft">{}</span></p>').format(said))
    head = ("Row", "Cause", "Expected", "Found")
    return _DETAILS.format(f"drift-{name}", "Drift", said, table("Examples of drift", head, rows))
