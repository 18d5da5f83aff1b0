"""Small parts of every table: figures, times, marks, and text that cannot command the terminal."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from rich import box
from rich.table import Table
from rich.text import Text

from stocksync.core.health import in_words
from stocksync.core.model import Figure, Removal, show
from stocksync.known_secrets import hidden

GOOD, WARN, BAD, FAINT = "green", "yellow", "red", "dim"
WELL, WAITS, FAILS = "✓", "!", "✗"


_JOINERS_AND_MARKS = "\u200c\u200d\u200e\u200f\u061c"
"""Arabic, Persian and emoji are spelled with these; unlike the other direction characters they turn nothing around."""
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co"})


def clean(text: str) -> str:
    """Make foreign text harmless: no secret, and no control or direction character, which could rewrite the screen.

    Lines stay lines, indented, so that none can pass for one of ours.
    """
    text = "\n    ".join(hidden(text).replace("\t", " ").splitlines())
    harmful = {sign for sign in set(text) - {"\n", *_JOINERS_AND_MARKS} if unicodedata.category(sign) in _HARMFUL}
    return "".join("�" if sign in harmful else sign for sign in text)


def count(number: int) -> str:
    """Give a count with thousands apart."""
    return f"{number:,}"


def many(number: int, noun: str) -> str:
    """Give a number of things: `1 page`, `20 pages`."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def cells(number: int) -> str:
    """Give a number of cells."""
    return many(number, "cell")


def figure(value: Figure | Decimal | None, missing: str = "-") -> Text:
    """Give a figure, or a dash where there is none."""
    if value is None:
        return Text(missing, style=FAINT)
    style = BAD if isinstance(value, Removal) or value < 0 else ""
    return Text(show(value), style=style)


def seconds(value: float) -> str:
    """Give a length of time as a person says it."""
    return in_words(timedelta(seconds=value))


def ago(at: datetime | None, now: datetime) -> str:
    """Give an instant by its age."""
    return "never" if at is None else f"{in_words(max(now - at, timedelta(0)))} ago"


def clock(at: datetime) -> str:
    """Give an instant to the second, by the clock on this machine's wall; the zone stands in `zone`."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def zone() -> str:
    """Name the zone of this machine's clock: `UTC`, `+03`."""
    return datetime.now().astimezone().strftime("%Z")


def located(place: str, name: str) -> Text:
    """Give a location value with the name that people know."""
    known = clean(name)
    return Text.assemble(clean(place) or "all", (f"  {known}" if known and known != place else "", FAINT))


def about_a_held_plan(plan_id: str, indent: str = "") -> Text:
    """Give what to type about what waits: in bold, for yellow on white can hardly be read."""
    return Text(f"{indent}look:     stocksync plan\n{indent}release:  stocksync approve {plan_id}", style="bold")


def listed(counts: Mapping[str, int], style: str = "") -> Text:
    """Give counts by name, most first: `55 update, 3 insert`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Text(", ".join(f"{count(number)} {clean(str(name))}" for name, number in ordered if number), style=style)


def orphaned(units: Mapping[str, Decimal]) -> Text:
    """Say which location values nothing feeds any more, and how much stock stands there."""
    places = ", ".join(f"{clean(place)} ({show(amount)} units)" for place, amount in sorted(units.items()))
    return Text(
        f"{places}: stock that no location feeds any more; see policy.on_unmapped" if places else "", style=WARN
    )


def table(*titles: str, right: tuple[str, ...] = ()) -> Table:
    """Begin a plain table; the columns named in `right` hold figures."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 2, 0, 0))
    for title in titles:
        made.add_column(title, justify="right" if title in right else "left", overflow="fold")
    return made


def facts(*rows: tuple[str, Text | str] | None) -> Table:
    """Give names and values below each other; rows that are None or empty are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=FAINT, no_wrap=True, min_width=12)
    grid.add_column(overflow="fold")
    for row in rows:
        if row is not None and str(row[1]):
            grid.add_row(f"  {row[0]}", row[1])
    return grid
