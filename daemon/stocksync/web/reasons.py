"""Why an account is not well, and what a person should know of it, in the page's language."""

from collections.abc import Iterator
from datetime import datetime

from markupsafe import Markup

from stocksync.core.answers import Health
from stocksync.core.health import Watched, clock_skew, wrong_clock
from stocksync.core.held_plan import HeldPlan, extent_of
from stocksync.core.status import AccountStatus
from stocksync.web.language import Language

_FOREIGN = Markup('<bdi lang="en">{}</bdi>')
COMMAND = Markup('<code class="type" dir="ltr">{}</code>')


def pill(status: AccountStatus, health: Health, speak: Language) -> Markup:
    """Give the one word for an account, and since when."""
    if health.word == "credential refused" and status.unauthorized_since is not None:
        return speak.text("word.credential refused.since", time=speak.clock(status.unauthorized_since))
    word = speak.word("word", health.word)
    return word if health.lag is None else speak.text("word_ago", word=word, span=speak.span(health.lag))


def reasons(status: AccountStatus, health: Health, watched: Watched, speak: Language, now: datetime) -> list[Markup]:
    """Give all that is to be known, the weightiest first; what health judges is told as it judges."""
    return [*_faults(status, health, watched, speak, now), *_remarks(status, speak)]


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


def _faults(
    status: AccountStatus, health: Health, watched: Watched, speak: Language, now: datetime
) -> Iterator[Markup]:
    seen: set[str] = set()
    for word, _ in watched.faults(status, now):
        match word:
            case "credential refused" if status.unauthorized_since is not None:
                yield speak.text("why.credential", time=speak.moment(status.unauthorized_since))
            case "never complete":
                yield speak.text("why.never")
            case "stale" if word in seen and status.last_attempt is not None:
                yield speak.text("why.not_started", span=speak.span(now - status.last_attempt))
            case "stale" if health.lag is not None:
                yield speak.text("why.stale", span=speak.span(health.lag), limit=speak.span(health.limit))
            case "figures refused":
                most = max(status.cells, status.refused)
                yield speak.text(
                    "why.refused", count=speak.number(status.refused), cells=speak.number(most),
                    error=_FOREIGN.format(status.refusal),
                )  # fmt: skip
            case "figures unknown":
                told = status.cells - status.untracked
                key = "why.unknown" if told > 0 else "why.untracked"
                cells = speak.number(told if told > 0 else status.cells)
                yield speak.text(key, count=speak.number(status.unknown), cells=cells)
        seen.add(word)


def _remarks(status: AccountStatus, speak: Language) -> Iterator[Markup]:
    failures = status.consecutive_failures
    if failures:
        key = "failed.last_one" if failures == 1 else "failed.last"
        yield speak.text(key, count=speak.number(failures))
    for plan in status.waiting:
        yield speak.text(
            "why.held", changes=changes(len(plan.changes), speak), command=COMMAND.format("stocksync plan")
        )
    if status.quarantined:
        yield speak.text("why.quarantined", count=speak.number(status.quarantined))
    skew = clock_skew(status)
    if skew is not None and wrong_clock(skew):
        yield speak.text("why.clock", span=speak.span(skew))
