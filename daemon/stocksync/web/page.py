"""The pages for people: self-contained, without scripts where scripts are off. Every value is escaped by MarkupSafe."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from urllib.parse import urlencode

from markupsafe import Markup

from stocksync import __version__
from stocksync.core.answers import Health, LocationStock, StockAnswer
from stocksync.core.health import in_words, worst_first
from stocksync.core.model import show
from stocksync.core.status import AccountStatus
from stocksync.web.page_account import account, clock, joined, moment, number, table


def _asset(name: str) -> Markup:
    # Markup() is the statement that these two files are ours and are to be pasted as they are.
    return Markup(files(__package__).joinpath("assets", name).read_text(encoding="utf-8"))  # noqa: S704


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


_STYLE = _asset("page.css")
_SCRIPT = _asset("page.js")

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_SHELL = Markup("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:image/svg+xml,{icon}">
<style>{style}</style>
{noscript}
</head>
<body{refresh}>
<a class="skip" href="#main">Skip to the content</a>
<p id="frozen" role="alert" hidden>stocksync does not answer: what you see is old.</p>
<header><div class="wrap">
<a class="brand" href="/">stock<span>sync</span></a>
<form action="/stock" role="search">
<label for="sku" class="soft">Stock of</label>
<input type="search" id="sku" name="sku" placeholder="SKU" value="{asked}" required maxlength="255" dir="auto">
<button>Look up</button>
</form>
</div></header>
<main id="main" class="wrap">
{content}
</main>
<footer><div class="wrap">
<span>stocksync {version}</span>
<a href="/metrics">metrics</a> <a href="/api/status">status as JSON</a> <a href="/readyz">readiness</a>
</div></footer>
<script>{script}</script>
</body>
</html>
""")
_ICON = Markup(
    "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Ccircle cx='8' cy='8' r='7' fill='%23{colour}'/%3E%3C/svg%3E"
)
_NOSCRIPT = Markup('<noscript><meta http-equiv="refresh" content="15"></noscript>')
_HEADLINE = Markup('<div class="headline"><h1>{}</h1><p class="soft">as of {}</p></div>')


def status(judged: Sequence[tuple[AccountStatus, Health]], now: datetime, notice: str = "") -> str:
    """Give the status page of all accounts, those in trouble first; `notice` says what this process waits for."""
    ordered = worst_first(judged)
    troubled = [health for _, health in ordered if not health.well]
    title = f"{len(troubled)} {_wrong(troubled)}" if troubled else "all fresh"
    cards = joined(account(each, health, now) for each, health in ordered)
    stands_by = _message("warn", "stands by", notice) if notice else Markup()
    content = _HEADLINE.format(_headline(judged, troubled), moment(now)) + stands_by + cards
    return _document(f"{title} · stocksync", content, well=not troubled, refresh=True)


def refused(sentence: str, now: datetime) -> str:
    """Give the page that says why a page is not shown."""
    content = _HEADLINE.format("Not shown", moment(now)) + _message("warn", "refused", sentence)
    return _document("not shown · stocksync", content)


def away(sentence: str, now: datetime, *, starting: bool = False) -> str:
    """Give the page for when there is nothing to show; `starting`: nothing was ever polled by this process."""
    headline = "stocksync waits for its state database" if starting else "The status is not known"
    content = _HEADLINE.format(headline, moment(now)) + _message("bad", "State away", sentence)
    return _document("status unknown · stocksync", content, well=False, refresh=True)


def stock(found: StockAnswer | str, asked: str, accounts: Sequence[str], now: datetime) -> str:
    """Give the page of one product, or the sentence that says why there is none."""
    if isinstance(found, str):
        hint = f" Accounts: {', '.join(accounts)}." if len(accounts) > 1 else ""
        content = _HEADLINE.format(Markup("Stock of <bdi>{}</bdi>").format(asked or "?"), moment(now))
        return _document("stock · stocksync", content + _message("warn", "No answer", found + hint), asked=asked)
    return _document(f"{found.sku or found.product_id} · stocksync", _product(found, now), asked=found.sku)


def _wrong(troubled: Sequence[Health]) -> str:
    """Name what is wrong, the worst first: `credential refused, stale`."""
    return ", ".join(dict.fromkeys("stale" if each.word == "never complete" else each.word for each in troubled))


def _headline(judged: Sequence[tuple[AccountStatus, Health]], troubled: Sequence[Health]) -> str:
    if not judged:
        return "No account is configured"
    held = sum(bool(each.waiting) for each, _ in judged)
    waiting = f", {held} {'waits' if held == 1 else 'wait'} for a person" if held else ""
    if troubled:
        wrong, verb = _wrong(troubled), "is" if len(troubled) == 1 else "are"
        said = f"{verb} stale" if wrong == "stale" else f"{verb} not well: {wrong}"
        return f"{len(troubled)} of {len(judged)} account{'s' if len(judged) > 1 else ''} {said}{waiting}"
    everything = "The account is fresh" if len(judged) == 1 else f"All {len(judged)} accounts are fresh"
    return everything + waiting


def _document(title: str, content: Markup, *, well: bool = True, refresh: bool = False, asked: str = "") -> str:
    return _SHELL.format(
        title=title,
        icon=_ICON.format(colour="0b6e4f" if well else "ae1f2b"),
        style=_STYLE,
        script=_SCRIPT,
        noscript=_NOSCRIPT if refresh else "",
        refresh=Markup(" data-refresh") if refresh else "",
        asked=asked,
        content=content,
        version=__version__,
    )


def _message(mood: str, word: str, sentence: str) -> Markup:
    return Markup(
        '<div class="card"><div class="top"><span class="pill {}">{}</span></div>'
        '<section class="part"><p><bdi>{}</bdi></p></section></div>'
    ).format(mood, word, sentence)


_PRODUCT = Markup("""\
<div class="headline"><h1><bdi>{name}</bdi></h1><p class="soft">{times}</p></div>
<div class="card">
<div class="top"><h2><bdi>{sku}</bdi></h2> <span class="pill {mood}">{word}</span>
<span class="soft">product {id} in account {account}</span></div>
{note}
<section class="part">{table}</section>
<form class="part" method="post" action="/stock?{query}"><button>Ask Qoyod now</button></form>
</div>
""")


def _product(found: StockAnswer, now: datetime) -> Markup:
    notes = [found.note] if found.note else []
    if not found.tracked:
        notes.append("Qoyod does not track the quantity of this product.")
    if found.pushed:
        notes.append(f"{found.pushed} changed figures were written to the target.")
    note = Markup('<section class="part"><p><bdi>{}</bdi></p></section>').format(" ".join(notes)) if notes else ""
    head = ("Location", "*Qoyod", "*Should be", "*Written", "*Target", "", "Confirmed", "Changed")
    rows = [_place(place, now) for place in found.places]
    places = table("Figures by location", head, rows) if rows else Markup("<p>Qoyod shows no figure: unknown.</p>")
    return _PRODUCT.format(
        name=found.name or found.sku or found.product_id,
        times=_times(found, now),
        sku=found.sku or "no SKU",
        mood="good" if found.fresh else "warn",
        word="asked Qoyod just now" if found.fresh else "from the snapshot",
        id=found.product_id,
        account=found.account,
        note=note,
        table=places,
        query=urlencode({"account": found.account, "id": found.product_id}),
    )


def _times(found: StockAnswer, now: datetime) -> Markup | str:
    if found.confirmed_at is None:
        return "Qoyod has shown no figure of it"
    confirmed = Markup("confirmed {}, {} ago").format(clock(found.confirmed_at), in_words(now - found.confirmed_at))
    if found.changed_at is None:
        return confirmed
    return confirmed + Markup("; last changed {} ago").format(in_words(now - found.changed_at))


def _place(place: LocationStock, now: datetime) -> tuple[object, ...]:
    names = joined((Markup("<bdi>{}</bdi>").format(name) for name in place.locations.values() if name), " + ")
    written = place.snapshot if place.sent is None else place.sent
    figures = (place.source, place.desired, written, place.target)
    ages = (at and f"{in_words(now - at)} ago" for at in (place.confirmed_at, place.changed_at))
    return (
        Markup("<bdi>{}</bdi> {}").format(place.place or "all", Markup('<span class="soft">{}</span>').format(names)),
        *(number(show(figure) or None) for figure in figures),
        _verdict(place),
        *(age or "never" for age in ages),
    )


def _verdict(place: LocationStock) -> Markup:
    same = place.desired is not None and show(place.desired) == show(place.target)
    if place.in_target is None and place.target is None:
        mood, word = "warn", "the target cannot be asked"
    elif same:
        mood, word = "good", "equal"
    elif place.target is None:
        mood, word = "warn", "not there" if not place.in_target else "no number"
    else:
        mood, word = "warn", "differs" if place.sent is None else "altered by the target"
    dot = Markup('<span class="dot {}">{}</span>').format(mood, word)
    return dot + Markup('<br><small class="why"><bdi>{}</bdi></small>').format(place.remark) if place.remark else dot
