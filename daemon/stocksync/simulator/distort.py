"""What the data faults do: to what is asked, to rows, to finished pages."""

from collections.abc import Iterable
from decimal import Decimal
from typing import cast

import msgspec

from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.faults import Fault
from stocksync.simulator.items import Item
from stocksync.simulator.listing import Ask
from stocksync.simulator.render import Row, StockAs, TrackAs, decimal_string, stock_value, track_value

LIE = Decimal(7)


def twist_ask(ask: Ask, fault: Fault, catalogue: Catalogue) -> None:
    """Let a fault change what a list request asks for."""
    match fault.kind.name:
        case "repeat-page-N":
            ask.page = fault.size
        case "copy-page-N":
            ask.echo, ask.page = ask.page, fault.size
        case "no-pagination":
            ask.paged = False
        case "clamp-N":
            ask.per_page = min(ask.per_page, fault.size)
        case "ignore-filter":
            ask.tests.clear()
            ask.among.clear()
        case "ignore-in":
            ask.among.clear()
        case "halve":
            ask.hidden |= second_half(catalogue)
        case _:  # hidden, gone
            ask.hidden.add(fault.number)


def second_half(catalogue: Catalogue) -> set[int]:
    """Give the ids that `halve` leaves out."""
    items = catalogue.ordered()
    return {item.id for item in items[(len(items) + 1) // 2 :]}


def twist_row(row: Row, item: Item, faults: Iterable[Fault]) -> object:
    """Apply row faults; those of other products leave it alone."""
    twisted: object = row
    for fault in faults:
        if fault.place == "product" and fault.number != item.id:
            continue
        if fault.kind.name == "not-object":
            twisted = "not a product"
        else:
            _twist_field(row, fault, item)
            _twist_figures(row, fault, item)
    return twisted


def _entries(row: Row) -> list[Row]:
    entries = row.get("inventories")
    return cast("list[Row]", entries) if isinstance(entries, list) else []


def _twist_field(row: Row, fault: Fault, item: Item) -> None:
    argument = fault.argument or ""
    match fault.kind.name:
        case "set":
            name, _, value = argument.partition("=")
            row[name] = msgspec.Raw(value.encode())
        case "drop":
            row.pop(argument, None)
        case "no-inventories":
            row.pop("inventories", None)
        case "no-movements":
            row["inventories"] = []
        case "track-as":
            row["track_quantity"] = track_value(cast("TrackAs", argument), tracked=item.tracked)
        case "vanish":
            row["inventories"] = [entry for entry in _entries(row) if entry["id"] != fault.number]


def _twist_figures(row: Row, fault: Fault, item: Item) -> None:
    for index, entry in enumerate(_entries(row)):
        truth = item.stock[cast("int", entry["id"])]
        match fault.kind.name:
            case "bad-stock" if index == 0:
                entry["stock"] = msgspec.Raw((fault.argument or "").encode())
            case "mass-zero":
                entry["stock"] = "0.0"
            case "lie-stock":
                entry["stock"] = decimal_string(truth + LIE)
            case "stock-as":
                entry["stock"] = stock_value(truth, cast("StockAs", fault.argument))


def twist_page(body: Row, fault: Fault) -> None:
    """Let a fault change a finished page."""
    rows, pagination = cast("list[object]", body["products"]), cast("Row", body.get("pagination", {}))
    match fault.kind.name:
        case "lost-pagination":
            body.pop("pagination", None)
        case "number-pagination":
            for name in pagination.keys() & {"perPage", "currentPage"}:
                pagination[name] = int(cast("str", pagination[name]))
        case "wrong-total":
            pagination["total"] = cast("int", pagination.get("total", 0)) + int(fault.argument or 0)
        case "drop-row":
            body["products"] = rows[:-1]
        case "double-row":
            body["products"] = rows[:1] + rows
        case "reversed":
            body["products"] = rows[::-1]
        case _:  # empty-page
            body["products"] = []
