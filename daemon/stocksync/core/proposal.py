"""What `init` proposes for a database that it has never seen: a table, its columns, a value for each location."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import StrEnum

_ALIKE = 0.6
"""Similarity above which a location's name and a value of the table are proposed as one; difflib's usual cutoff."""


class Holds(StrEnum):
    """What a column can hold."""

    WHOLE = "whole numbers"
    NUMBER = "numbers"
    TEXT = "text"
    MOMENT = "a date and time"
    FLAG = "yes or no"
    OTHER = "something else"


@dataclass(frozen=True, slots=True)
class ColumnSketch:
    """A column as `init` sees it."""

    name: str
    holds: Holds
    required: bool = False
    """Whether a new row must give it: NOT NULL, and without a default."""


@dataclass(frozen=True, slots=True)
class TableSketch:
    """A table or view as `init` sees it."""

    name: str
    """With its schema where it needs one."""
    columns: tuple[ColumnSketch, ...]
    filled: bool = False
    """Whether it has a row."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """How figures could meet one table."""

    table: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our field to its column; empty: those of our own table."""
    match_by: str = "product_id"
    insert: bool = True
    """Whether rows that the table lacks are to be made."""
    there: tuple[str, ...] = field(default=(), compare=False)
    """Every column of the table, to choose another from."""

    @property
    def fits(self) -> bool:
        """Whether a figure has a place there and a row can be found."""
        return "quantity" in self.columns and self.match_by in self.columns


_TOO_SHORT = 2
"""A name of so few letters says nothing where it is only a part of another."""
_NUMBERS, _WORDS = frozenset({Holds.WHOLE, Holds.NUMBER}), frozenset({Holds.WHOLE, Holds.TEXT})
_FIELDS: Mapping[str, tuple[Collection[Holds], Sequence[str]]] = {
    # A plain product_id is the shop's own number, never Qoyod's.
    "product_id": ({Holds.WHOLE}, ("qoyod_product_id", "qoyod_id", "qoyod_product")),
    "sku": ({Holds.TEXT}, ("sku", "item_code", "product_code", "default_code", "code", "reference", "item_no")),
    "location": (
        _WORDS,
        ("location_id", "location", "warehouse_id", "warehouse", "wh", "branch_id", "branch", "depot_id", "depot",
         "source_code", "store_id", "store"),
    ),
    "quantity": (
        _NUMBERS,
        ("quantity", "qty", "on_hand", "stock_quantity", "stock", "in_stock", "available", "inventory", "level"),
    ),
    "updated_at": ({Holds.MOMENT}, ("updated_at", "synced_at", "last_update", "last_updated", "date_upd")),
    "active": ({Holds.FLAG, Holds.WHOLE}, ("active", "is_active", "enabled", "on_sale")),
}  # fmt: skip
"""For each field what its column must hold, and the names it usually has, the likeliest first."""
_STOCK_TABLES = ("stock", "inventory", "quant", "level")


def propose_columns(table: TableSketch, own: Mapping[str, str]) -> Proposal:
    """Choose a column for each field; `own` are the columns of the table that `create_table` makes."""
    there = tuple(column.name for column in table.columns)
    if set(there) >= set(own.values()):
        return Proposal(table.name, dict(own), there=there)
    chosen: dict[str, str] = {}
    for name, (holds, usual) in _FIELDS.items():
        free = [column for column in table.columns if column.holds in holds and column.name not in chosen.values()]
        if (found := _best(free, usual)) is not None:
            chosen[name] = found
    lacking = any(column.required and column.name not in chosen.values() for column in table.columns)
    match_by = "product_id" if "product_id" in chosen else "sku"
    # Rows of a table in use are the shop's own: a product that it does not sell is not put on sale by us.
    return Proposal(table.name, chosen, match_by, insert=not (lacking or table.filled), there=there)


def propose_tables(tables: Iterable[TableSketch], own: Mapping[str, str]) -> list[Proposal]:
    """Give the tables that could take figures, the likeliest first."""
    proposals = [propose_columns(table, own) for table in tables]
    return sorted((one for one in proposals if one.fits), key=lambda one: (-_likelihood(one), one.table))


def propose_map(locations: Mapping[int, str], values: Sequence[str]) -> dict[int, str]:
    """Match Qoyod's locations (id to name) with the values that stand in the location column, each value once."""
    pairs = sorted(
        ((_likeness(name, value), location, value) for location, name in locations.items() for value in values),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    chosen: dict[int, str] = {}
    for likeness, location, value in pairs:
        if likeness >= _ALIKE and location not in chosen and value not in chosen.values():
            chosen[location] = value
    return dict(sorted(chosen.items()))


def _best(columns: Sequence[ColumnSketch], usual: Sequence[str]) -> str | None:
    names = {_plain(column.name): column.name for column in columns}
    exact = (names[_plain(name)] for name in usual if _plain(name) in names)
    # "item_qty", "total_on_hand": the usual name stands at the end.
    ending = (
        given
        for name in usual
        for plain, given in names.items()
        if len(name) > _TOO_SHORT and plain.endswith(_plain(name))
    )
    return next(exact, None) or next(ending, None)


def _likelihood(proposal: Proposal) -> int:
    named = any(word in proposal.table.casefold() for word in _STOCK_TABLES)
    by_qoyod = proposal.match_by == "product_id"
    return len(proposal.columns) + 3 * by_qoyod + 2 * named + ("location" in proposal.columns)


def _likeness(name: str, value: str) -> float:
    ours, theirs = _plain(name), _plain(value)
    if not ours or not theirs:
        return 0.0
    within = (theirs in ours or ours in theirs) and min(len(ours), len(theirs)) > _TOO_SHORT
    return max(SequenceMatcher(None, ours, theirs).ratio(), 0.9 if within else 0.0)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
