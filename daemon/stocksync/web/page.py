"""The pages for people: self-contained, and of use without scripts. Jinja escapes every value; ours are Markup."""

import base64
import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from stocksync import __version__
from stocksync.core.answers import Health, StockAnswer
from stocksync.core.health import Watched, worst_first
from stocksync.core.held_plan import Decision, worst_rows
from stocksync.core.overview import FoundProduct, Overview, RecentChange
from stocksync.core.status import AccountStatus
from stocksync.web.chart import day_chart, history_chart
from stocksync.web.language import COMMAND, Language
from stocksync.web.product_view import Story, product_view
from stocksync.web.reasons import changes, effect, pill, reasons, runbook
from stocksync.web.runbook import sections

CARDS = 5
"""More accounts than these are shown as a table first."""
PER_PAGE = 100
_MOST_ROWS = 20
_COMMAND = re.compile(re.escape(COMMAND.partition("{}")[0]) + "stocksync [a-z]+")
_ROW, _CELL = re.compile(r"<tr(?! class=\"because\").*?</tr>", re.DOTALL), re.compile(r"<td\b")
_TO_SAY = {
    Decision.WAITING: ("approve", "reject"),
    Decision.APPROVED: ("reject",),
    Decision.REJECTED: ("approve",),
}
"""What a person may still type."""
_MOODS = {"done": "good", "held": "warn", "empty": "warn", "stopped": "warn"}


def _asset(folder: str, name: str) -> str:
    return files(__package__).joinpath(folder, name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


# Markup() is the statement that these two files are ours and are to be pasted as they are.
_STYLE, _SCRIPT = Markup(_asset("assets", "page.css")), Markup(_asset("assets", "page.js"))  # noqa: S704

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def labelled(body: Markup, t: Callable[[str], Markup], heads: Sequence[str]) -> Markup:
    """Put each cell's heading beside it, for a phone, where a table has no room for its head."""
    names = [escape(t(head.lstrip("*"))) if head.lstrip("*") else Markup() for head in heads]

    def row(found: re.Match[str]) -> str:
        left = iter(names)
        return _CELL.sub(lambda _: f'<td data-label="{next(left, "")}"', found[0])

    # Every foreign value is escaped by now, so that these tags can only be the templates' own.
    return Markup(_ROW.sub(row, str(body)))  # noqa: S704


_ENVIRONMENT = Environment(
    autoescape=True,
    loader=FunctionLoader(lambda name: _asset("templates", name)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters["b"] = Markup("<bdi>{}</bdi>").format
_ENVIRONMENT.globals |= {
    "day_chart": day_chart, "labelled": labelled, "changes": changes, "effect": effect, "worst_rows": worst_rows,
    "command": COMMAND.format, "runbook": runbook, "to_say": _TO_SAY, "moods": _MOODS, "most_rows": _MOST_ROWS,
    "style": _STYLE, "script": _SCRIPT, "version": __version__,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """One account with all that its card tells."""

    status: AccountStatus
    health: Health
    watched: Watched
    overview: Overview


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page has around it."""

    speak: Language
    now: datetime
    switch: str = "/?lang=ar"
    """Where the same page stands in the other language."""
    asked: str = ""
    """What stands in the search box."""
    account: str = ""
    """Where the search looks alone; "" for everywhere."""
    started: datetime | None = None
    """Since when this process serves."""
    options: str = ""
    """What a command needs behind its name to mean this configuration."""


@dataclass(frozen=True, slots=True)
class TableView:
    """What of the table of accounts is looked at."""

    order: str = ""
    find: str = ""
    """A part of the accounts' names."""
    page: int = 1

    def link(self, **changed: str | int) -> str:
        """Give where the table stands with something else chosen; another order begins at the first page."""
        asked = {"sort": self.order, "find": self.find, "page": 1} | changed
        return "/?" + urlencode({name: value for name, value in asked.items() if value not in {"", 1}})


def status(shown: Sequence[Shown], frame: Frame, notice: str = "") -> str:
    """Give the status of a few accounts, those in trouble first; `notice` says what this process waits for."""
    ordered = worst_first([(one.status, one.health) for one in shown])
    by_name = {one.status.account: one for one in shown}
    cards = []
    for stands, health in ordered:
        one = by_name[stands.account]
        cards.append({
            "status": stands, "health": health, "overview": one.overview, "pill": pill(stands, health, frame.speak),
            "reasons": reasons(stands, health, one.watched, frame.speak, frame.now),
            "next_poll": stands.last_attempt + one.watched.interval if stands.last_attempt else None,
            "writes": bool(stands.owner and stands.leased_until and stands.leased_until >= frame.now),
        })  # fmt: skip
    return _rendered("accounts.html", frame, **_judged(ordered, frame), cards=cards, notice=notice)


def overview(
    judged: Sequence[tuple[AccountStatus, Health]], newest: Sequence[RecentChange], frame: Frame, view: TableView
) -> str:
    """Give the table of many accounts, the worst on top or as `view` says, a hundred a page."""
    ordered = worst_first(judged)
    all_judged = _judged(ordered, frame)
    if view.find:
        ordered = [pair for pair in ordered if view.find.casefold() in f"{pair[0].account} {pair[0].title}".casefold()]
    key = _ORDERS.get(view.order)
    if key is not None:
        ordered = sorted(ordered, key=key, reverse=view.order != "account")
    first = PER_PAGE * (view.page - 1)
    rows = [(one, health, pill(one, health, frame.speak)) for one, health in ordered[first : first + PER_PAGE]]
    context = {"view": view, "first": first, "count": len(ordered), "rows": rows, "newest": newest}
    return _rendered("overview.html", frame, **all_judged, **context)


def message(frame: Frame, headline: str, mood: str, word: str, sentence: str, *, title: str, section: str = "") -> str:
    """Give a page of one sentence; `headline`, `word` and `title` are keys of the catalogue.

    `section` of the runbook tells what to do, and the page refreshes itself meanwhile.
    """
    t = frame.speak.text
    context = {"title": t(title), "headline": t(headline), "mood": mood, "word": t(word), "sentence": sentence}
    return _rendered("message.html", frame, **context, section=section, refresh=bool(section), well=not section)


def refused(sentence: str, frame: Frame) -> str:
    """Give the page that says why a page is not shown."""
    return message(frame, "not_shown", "warn", "refused", sentence, title="title.not_shown")


def away(sentence: str, frame: Frame, *, starting: bool = False) -> str:
    """Give the page for when there is nothing to show; `starting`: nothing was ever polled by this process."""
    headline = "waits_for_state" if starting else "well.unknown"
    return message(
        frame, headline, "bad", "state_away", sentence, title="title.unknown", section="StocksyncStateUnreadable"
    )


def stock(found: StockAnswer, story: Story, frame: Frame) -> str:
    """Give the page of one product."""
    view = product_view(found, story, frame.speak, frame.now)
    lines = [(place, history_chart(rows)) for place, rows in story.by_place().items()]
    context = {"title": found.sku or found.product_id, "found": found, "view": view, "story": story, "lines": lines}
    return _rendered("product.html", frame, **context, refresh=False, well=True)


def no_stock(sentence: str, asked: str, accounts: Sequence[str], frame: Frame) -> str:
    """Give the page that says why there is no product to show."""
    hint = Markup(" (<bdi>{}</bdi>)").format(", ".join(accounts)) if len(accounts) > 1 else ""
    shown = sentence if isinstance(sentence, Markup) else frame.speak.said(sentence)
    headline = frame.speak.text("stock_of", words=Markup("<bdi>{}</bdi>").format(asked or "?"))
    context = {"title": frame.speak.text("title.stock"), "headline": headline, "mood": "warn"}
    said = {"word": frame.speak.text("no_answer"), "sentence": shown + hint}
    return _rendered("message.html", frame, **context, **said, section="", refresh=False, well=True)


def handbook(frame: Frame) -> str:
    """Give the runbook, which is written in English."""
    title = frame.speak.text("runbook")
    return _rendered("runbook.html", frame, title=title, sections=sections(), refresh=False, well=True)


def found(products: Sequence[FoundProduct], words: str, frame: Frame) -> str:
    """Give what a search has found."""
    title = frame.speak.text("found.title", words=Markup("<bdi>{}</bdi>").format(words))
    several = len({one.account for one in products}) > 1
    context = {"title": frame.speak.text("title.stock"), "headline": title, "products": products, "several": several}
    return _rendered("found.html", frame, **context, refresh=False, well=True)


def _rendered(template: str, frame: Frame, **context: Any) -> str:  # noqa: ANN401  whatever the template shows
    speak = frame.speak
    shown = _ENVIRONMENT.get_template(template).render(
        speak=speak, t=speak.text, w=speak.word, n=speak.number, f=speak.figure, span=speak.span,
        moment=speak.moment, clock=speak.clock, now=frame.now, switch=frame.switch, asked=frame.asked,
        searched=frame.account, started=frame.started, **context,
    )  # fmt: skip
    # Every foreign value is escaped by now, so that these can only be our own commands.
    return _COMMAND.sub(lambda found: f"{found[0]} {escape(frame.options)}", shown) if frame.options else shown


def _judged(judged: Sequence[tuple[AccountStatus, Health]], frame: Frame) -> dict[str, Any]:
    """Give title and headline: whether all is well, and what waits for a person; the worst stands first."""
    speak = frame.speak
    ill = [health for _, health in judged if not health.well]
    # That no poll was ever complete is a way of being stale.
    wrong = list(dict.fromkeys("stale" if one.word == "never complete" else one.word for one in ill))
    words = speak.comma.join(str(speak.word("word", word)) for word in wrong)
    counts = {"ill": speak.number(len(ill)), "count": speak.number(len(judged)), "words": words}
    if not judged:
        said = speak.text("account.none")
    elif ill:
        number = "_only" if len(judged) == 1 else "_one" if len(ill) == 1 else ""
        said = speak.text(("well.stale" if wrong == ["stale"] else "well.not") + number, **counts)
    else:
        said = speak.text("well.one" if len(judged) == 1 else "well.all", **counts)
    held = sum(bool(one.waiting) for one, _ in judged)
    if held:
        said = speak.text("well.waits" if held == 1 else "well.wait", what=said, count=speak.number(held))
    title = f"{speak.number(len(ill))} {words}" if ill else speak.text("title.all_fresh")
    return {"headline": said, "title": title, "well": not ill, "refresh": True}


_ORDERS: Mapping[str, Any] = {
    "account": lambda pair: pair[0].account,
    "lag": lambda pair: math.inf if pair[1].lag is None else pair[1].lag.total_seconds(),
    "held": lambda pair: sum(len(plan.changes) for plan in pair[0].waiting),
    "quarantine": lambda pair: pair[0].quarantined,
    "drift": lambda pair: pair[0].audit.drifted + pair[0].audit.strange if pair[0].audit else -1,
}
"""What many accounts can be sorted by."""
