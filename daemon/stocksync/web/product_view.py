"""One product, as its page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from markupsafe import Markup

from stocksync.core.answers import Explanation, LocationStock, StockAnswer
from stocksync.core.model import Figure, show
from stocksync.ports import LedgerRow
from stocksync.web.language import Language


@dataclass(frozen=True, slots=True)
class Story:
    """How a product's figures came about, and what was written of it, newest first."""

    explanation: Explanation | None = None
    history: Sequence[LedgerRow] = ()

    def by_place(self) -> dict[str, list[LedgerRow]]:
        """Give the rows of each place, oldest first."""
        found: dict[str, list[LedgerRow]] = {}
        for row in reversed(self.history):
            found.setdefault(row.change.place, []).append(row)
        return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One line of the table of figures."""

    place: str
    names: Sequence[str]
    figures: Sequence[tuple[Figure | None, bool]]
    """Qoyod's, what it should be, what was written, what stands there; each with whether it is 0."""
    mood: str
    word: Markup
    remark: str
    confirmed: Markup
    changed: Markup


@dataclass(frozen=True, slots=True)
class ProductView:
    """What stands on the page beside the answer itself."""

    times: Markup
    notes: Sequence[Markup | str]
    rows: Sequence[PlaceRow]


def product_view(found: StockAnswer, story: Story, speak: Language, now: datetime) -> ProductView:
    """Put an answer into the page's words."""
    notes: list[Markup | str] = [speak.said(found.note)] if found.note else []
    if not found.tracked:
        notes.append(speak.text("not_tracked"))
    if found.pushed:
        notes.append(speak.text("lookup.pushed", count=speak.number(found.pushed)))
    if story.explanation is not None and story.explanation.remark:
        notes.append(speak.said(story.explanation.remark))
    return ProductView(_times(found, speak, now), notes, [_row(place, speak, now) for place in found.places])


def _times(found: StockAnswer, speak: Language, now: datetime) -> Markup:
    if found.confirmed_at is None:
        return speak.text("confirmed_never")
    span = speak.span(now - found.confirmed_at)
    confirmed = speak.text("confirmed_at", time=speak.clock(found.confirmed_at), span=span)
    if found.changed_at is None:
        return confirmed
    return confirmed + speak.semicolon + speak.text("last_changed", span=speak.span(now - found.changed_at))


def _row(place: LocationStock, speak: Language, now: datetime) -> PlaceRow:
    written = place.snapshot if place.sent is None else place.sent
    figures = (place.source, place.desired, written, place.target)
    mood, word = _verdict(place)
    return PlaceRow(
        place.place, [name for name in place.locations.values() if name],
        [(figure, isinstance(figure, Decimal) and not figure) for figure in figures], mood, speak.text(word),
        place.remark, _ago(place.confirmed_at, speak, now), _ago(place.changed_at, speak, now),
    )  # fmt: skip


def _verdict(place: LocationStock) -> tuple[str, str]:
    if place.in_target is None and place.target is None:
        return "warn", "target.ask"
    if place.desired is not None and show(place.desired) == show(place.target):
        return "good", "equal"
    if place.target is None:
        return "warn", "target.no_number" if place.in_target else "target.not_there"
    return "warn", "differs" if place.sent is None else "altered"


def _ago(at: datetime | None, speak: Language, now: datetime) -> Markup:
    return speak.text("moment.never") if at is None else speak.text("ago", span=speak.span(now - at))
