"""Which products a list request shows: filters, order, paging, as far as Qoyod is known to have them."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.items import Item
from stocksync.simulator.render import Pagination
from stocksync.simulator.wire import Request

DEFAULT_PER_PAGE = 25
_FIELDS: Mapping[str, Callable[[Item], int | str]] = {
    "id": lambda item: item.id,
    "category_id": lambda item: item.category_id,
    "sku": lambda item: item.sku,
    "en_name": lambda item: item.english,
    "name_en": lambda item: item.english,
    "ar_name": lambda item: item.arabic,
    "name_ar": lambda item: item.arabic,
    "created_at": lambda item: item.created,
    "updated_at": lambda item: item.updated,
}
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "lt": operator.lt,
    "gteq": operator.ge,
    "lteq": operator.le,
}
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "cont": lambda value, wanted: wanted in value,
    "start": str.startswith,
    "end": str.endswith,
}
Test = Callable[[Item], bool]


@dataclass(slots=True)
class Ask:
    """What a list request asks for, after the faults have twisted it."""

    page: int
    per_page: int
    paged: bool
    """False where neither page nor per_page was sent: a real account then sent everything at once."""
    tests: list[Test]
    among: list[Test]
    """Those of `q[…_in][]`, which no page of Qoyod's tells of."""
    order: str
    descending: bool
    echo: int | None = None
    """The page number to claim, where it is not `page`."""
    hidden: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Shown:
    """The products of one answer."""

    items: Sequence[Item]
    total: int
    pagination: Pagination | None


def asked(request: Request, largest_page: int) -> Ask:
    """Read a list request's parameters; an unknown filter is ignored in silence, as Qoyod may."""
    wanted_page, wanted_size = request.first("page"), request.first("per_page")
    name, _, direction = (request.first("q[s]") or "id asc").partition(" ")
    tests: list[Test] = []
    among: dict[str, list[str]] = {}
    for key, value in request.query:
        if not key.startswith("q["):
            continue
        column = key[2:].rstrip("[]")
        if key.endswith("_in][]"):
            among.setdefault(column.removesuffix("_in"), []).append(value)
        elif (test := _test(column, value)) is not None:
            tests.append(test)
    return Ask(
        page=max(1, _integer(wanted_page) or 1),
        per_page=min(largest_page, max(1, _integer(wanted_size) or DEFAULT_PER_PAGE)),
        paged=wanted_page is not None or wanted_size is not None,
        tests=tests,
        among=[_among(_FIELDS[column], values) for column, values in among.items() if column in _FIELDS],
        order=name if name in _FIELDS else "id",
        descending=direction.strip() == "desc",
    )


def show(catalogue: Catalogue, ask: Ask) -> Shown:
    """Choose the products of the page asked for."""
    found = catalogue.ordered()
    if ask.hidden:
        found = [item for item in found if item.id not in ask.hidden]
    for test in (*ask.tests, *ask.among):
        found = list(filter(test, found))
    if ask.order != "id" or ask.descending:
        found = sorted(found, key=_FIELDS[ask.order], reverse=ask.descending)
    total = len(found)
    if not ask.paged:
        return Shown(found, total, None)
    items = found[(ask.page - 1) * ask.per_page : ask.page * ask.per_page]
    pagination: Pagination = {
        "count": len(items),
        "total": total,
        "perPage": str(ask.per_page),
        "currentPage": str(ask.echo or ask.page),
        "totalPages": -(-total // ask.per_page),
    }
    return Shown(items, total, pagination)


def _test(name: str, wanted: str) -> Test | None:
    column, _, predicate = name.rpartition("_")
    if column not in _FIELDS:
        return None
    value = _FIELDS[column]
    if predicate in _TEXT:
        text = _TEXT[predicate]
        return lambda item: text(str(value(item)).casefold(), wanted.casefold())
    if predicate in _COMPARISONS:
        compare = _COMPARISONS[predicate]
        figure = (_integer(wanted) or 0) if column in {"id", "category_id"} else wanted
        return lambda item: compare(value(item), figure)
    return None


def _among(value: Callable[[Item], int | str], wanted: Sequence[str]) -> Test:
    texts = frozenset(wanted)
    return lambda item: str(value(item)) in texts


def _integer(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None
