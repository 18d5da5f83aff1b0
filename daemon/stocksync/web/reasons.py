"""Why an account is not well, and what a person should know of it, in the page's language."""

from collections.abc import Iterator
from datetime import datetime

from markupsafe import Markup

from stocksync.core.answers import Health
from stocksync.core.health import Watched, clock_skew, wrong_clock
from stocksync.core.held_plan import HeldPlan, extent_of
from stocksync.core.status import AccountStatus
from stocksync.web.language import COMMAND, Language

RUNBOOK = "/runbook"
_SECTIONS = {
    "credential refused": "StocksyncUnauthorized",
    "never complete": "StocksyncNeverComplete",
    "stale": "StocksyncStale",
    "figures refused": "StocksyncRefused",
    "figures unknown": "StocksyncFiguresUnknown",
}
"""Which alert is about an account of this word."""


def pill(status: AccountStatus, health: Health, speak: Language) -> Markup:
    """Give the one word for an account, and since when."""
    if health.word == "credential refused" and status.unauthorized_since is not None:
        return speak.text("word.credential refused.since", time=speak.clock(status.unauthorized_since))
    word = speak.word("word", health.word)
    return word if health.lag is None else speak.text("word_ago", word=word, span=speak.span(health.lag))


def reasons(status: AccountStatus, health: Health, watched: Watched, speak: Language, now: datetime) -> list[Markup]:
    """Give all that is to be known, the weightiest first; what health judges is told as it judges."""
    told: list[Markup] = []
    seen: set[str] = set()
    for word, _ in watched.faults(status, now):
        section = "StocksyncNotPolling" if word in seen else _SECTIONS[word]
        said = _fault(word, status, health, speak, now, again=word in seen)
        if said is not None:
            told.append(said + " " + runbook(section, speak))
        seen.add(word)
    return [*told, *_remarks(status, speak)]


def runbook(alert: str, speak: Language) -> Markup:
    """Link to an alert's section of the runbook, which this server has at hand."""
    return Markup('<a class="runbook" href="{}#{}" hreflang="en" aria-label="{}">{}</a>').format(
        RUNBOOK, alert.lower(), speak.text("runbook.named", name=alert), speak.text("runbook")
    )


def effect(plan: HeldPlan, speak: Language) -> Markup:
    """Say what a held plan would do, the worst first."""
    extent = extent_of(plan)
    others = extent.cells - extent.to_zero - extent.removed
    return speak.text(
        "held.effect",
        zero=speak.number(extent.to_zero),
        units=speak.number(extent.units),
        removed=speak.number(extent.removed),
        others=speak.number(others),
    )


def changes(count: int, speak: Language) -> Markup:
    """Count changes."""
    return speak.text("one_change") if count == 1 else speak.text("many_changes", count=speak.number(count))


def _fault(
    word: str, status: AccountStatus, health: Health, speak: Language, now: datetime, *, again: bool
) -> Markup | None:
    said: Markup | None = None
    match word:
        case "credential refused" if status.unauthorized_since is not None:
            said = speak.text("why.credential", time=speak.moment(status.unauthorized_since))
        case "never complete":
            said = speak.text("why.never")
        case "stale" if again and status.last_attempt is not None:
            said = speak.text("why.not_started", span=speak.span(now - status.last_attempt))
        case "stale" if health.lag is not None:
            said = speak.text("why.stale", span=speak.span(health.lag), limit=speak.span(health.limit))
        case "figures refused":
            most = max(status.cells, status.refused)
            counts = {"count": speak.number(status.refused), "cells": speak.number(most)}
            said = speak.text("why.refused", error=speak.said(status.refusal), **counts)
        case "figures unknown":
            told = status.cells - status.untracked
            key = "why.unknown" if told > 0 else "why.untracked"
            cells = speak.number(told if told > 0 else status.cells)
            said = speak.text(key, count=speak.number(status.unknown), cells=cells)
    return said


def _remarks(status: AccountStatus, speak: Language) -> Iterator[Markup]:
    failures = status.consecutive_failures
    if failures:
        key = "failed.last_one" if failures == 1 else "failed.last"
        yield speak.text(key, count=speak.number(failures)) + " " + runbook("StocksyncFailing", speak)
    for plan in status.waiting:
        command = COMMAND.format("stocksync plan")
        waits = speak.text("why.held", changes=changes(len(plan.changes), speak), command=command)
        yield waits + " " + runbook("StocksyncHeld", speak)
    if status.quarantined:
        count = speak.number(status.quarantined)
        yield speak.text("why.quarantined", count=count) + " " + runbook("StocksyncQuarantine", speak)
    skew = clock_skew(status)
    if skew is not None and wrong_clock(skew):
        yield speak.text("why.clock", span=speak.span(skew)) + " " + runbook("StocksyncClockSkew", speak)
