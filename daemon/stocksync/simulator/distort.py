"""What the data faults do: to what is asked, to rows, to finished pages."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import cast

import msgspec

from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.faults import Fault
from stocksync.simulator.items import Item
from stocksync.simulator.listing import Ask
from stocksync.simulator.render import Row, StockAs, TrackAs, decimal_string, stock_value, track_value

LIE = Decimal(7)


def _repeat(ask: Ask, fault: Fault, _: Catalogue) -> None:
    ask.page = fault.size


def _copy(ask: Ask, fault: Fault, _: Catalogue) -> None:
    ask.echo, ask.page = ask.page, fault.size


def _unpaged(ask: Ask, _fault: Fault, _: Catalogue) -> None:
    ask.paged = False


def _clamp(ask: Ask, fault: Fault, _: Catalogue) -> None:
    ask.per_page = min(ask.per_page, fault.size)


def _not_among(ask: Ask, _fault: Fault, _: Catalogue) -> None:
    ask.among.clear()


def _unfiltered(ask: Ask, _fault: Fault, _: Catalogue) -> None:
    ask.tests.clear()
    ask.among.clear()


def _halve(ask: Ask, _fault: Fault, catalogue: Catalogue) -> None:
    ask.hidden |= second_half(catalogue)


def _hide(ask: Ask, fault: Fault, _: Catalogue) -> None:
    ask.hidden.add(fault.number)


def second_half(catalogue: Catalogue) -> set[int]:
    """Give the ids that `halve` leaves out."""
    items = catalogue.ordered()
    return {item.id for item in items[(len(items) + 1) // 2 :]}


ASKS: Mapping[str, Callable[[Ask, Fault, Catalogue], None]] = {
    "repeat-page-N": _repeat,
    "copy-page-N": _copy,
    "no-pagination": _unpaged,
    "clamp-N": _clamp,
    "ignore-filter": _unfiltered,
    "ignore-in": _not_among,
    "halve": _halve,
    "hidden": _hide,
    "gone": _hide,
}


def _entries(row: Row) -> list[Row]:
    entries = row.get("inventories")
    return cast("list[Row]", entries) if isinstance(entries, list) else []


def _bad_stock(row: Row, fault: Fault, _: Item) -> None:
    for entry in _entries(row)[:1]:
        entry["stock"] = msgspec.Raw((fault.argument or "").encode())


def _set(row: Row, fault: Fault, _: Item) -> None:
    name, _sign, value = (fault.argument or "").partition("=")
    row[name] = msgspec.Raw(value.encode())


def _drop(row: Row, fault: Fault, _: Item) -> None:
    row.pop(fault.argument or "", None)


def _no_inventories(row: Row, _fault: Fault, _: Item) -> None:
    row.pop("inventories", None)


def _no_movements(row: Row, _fault: Fault, _: Item) -> None:
    row["inventories"] = []


def _zero(row: Row, _fault: Fault, _: Item) -> None:
    for entry in _entries(row):
        entry["stock"] = "0.0"


def _lie(row: Row, _fault: Fault, item: Item) -> None:
    for entry in _entries(row):
        entry["stock"] = decimal_string(item.stock[cast("int", entry["id"])] + LIE)


def _stock_as(row: Row, fault: Fault, item: Item) -> None:
    for entry in _entries(row):
        entry["stock"] = stock_value(item.stock[cast("int", entry["id"])], cast("StockAs", fault.argument))


def _track_as(row: Row, fault: Fault, item: Item) -> None:
    row["track_quantity"] = track_value(cast("TrackAs", fault.argument), tracked=item.tracked)


def _vanish(row: Row, fault: Fault, _: Item) -> None:
    row["inventories"] = [entry for entry in _entries(row) if entry["id"] != fault.number]


_ROWS: Mapping[str, Callable[[Row, Fault, Item], None]] = {
    "bad-stock": _bad_stock,
    "set": _set,
    "drop": _drop,
    "no-inventories": _no_inventories,
    "no-movements": _no_movements,
    "mass-zero": _zero,
    "lie-stock": _lie,
    "stock-as": _stock_as,
    "track-as": _track_as,
    "vanish": _vanish,
    "not-object": lambda _row, _fault, _item: None,
}


def twist_row(row: Row, item: Item, faults: Iterable[Fault]) -> object:
    """Apply row faults; those of other products leave it alone."""
    twisted: object = row
    for fault in faults:
        if fault.place != "product" or fault.number == item.id:
            _ROWS[fault.kind.name](row, fault, item)
            twisted = "not a product" if fault.kind.name == "not-object" else twisted
    return twisted


def _lost(body: Row, _: Fault) -> None:
    body.pop("pagination", None)


def _numbers(body: Row, _: Fault) -> None:
    pagination = cast("Row", body.get("pagination", {}))
    for name in ("perPage", "currentPage"):
        if name in pagination:
            pagination[name] = int(cast("str", pagination[name]))


def _wrong_total(body: Row, fault: Fault) -> None:
    pagination = cast("Row", body.get("pagination", {}))
    pagination["total"] = cast("int", pagination.get("total", 0)) + int(fault.argument or 0)


def _drop_row(body: Row, _: Fault) -> None:
    body["products"] = cast("list[object]", body["products"])[:-1]


def _double_row(body: Row, _: Fault) -> None:
    rows = cast("list[object]", body["products"])
    body["products"] = rows[:1] + rows


def _reversed(body: Row, _: Fault) -> None:
    body["products"] = cast("list[object]", body["products"])[::-1]


def _empty(body: Row, _: Fault) -> None:
    body["products"] = []


PAGES: Mapping[str, Callable[[Row, Fault], None]] = {
    "lost-pagination": _lost,
    "number-pagination": _numbers,
    "wrong-total": _wrong_total,
    "drop-row": _drop_row,
    "double-row": _double_row,
    "reversed": _reversed,
    "empty-page": _empty,
}
