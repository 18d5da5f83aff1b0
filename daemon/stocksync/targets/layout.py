"""A user's table as reflected: which column serves which field, and how."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Table

from stocksync.targets.codecs import Flag, Quantity, Stamp
from stocksync.targets.keys import Key

RowKey = tuple[str, str]
"""What finds a row: (product id or SKU, place), exactly, as text."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How figures meet the columns of one table."""

    table: Table
    dialect: str
    match: Key
    """The product id's column, or the SKU's."""
    place: Key | None
    other: Key | None
    """The SKU's column where the product id is matched by, or the other way round: written, never matched."""
    other_nullable: bool
    quantity: Quantity
    updated_at: Stamp | None
    active: Flag | None
    unique: bool
    """Whether an index sees to it that no two rows have one key."""
    lacking: tuple[str, ...]
    """Columns that a new row must give and that no field is mapped to."""
    notes: tuple[str, ...]
    types: dict[str, str]
    """Every column's type, as reflected: another one calls for another look."""
    conditions: tuple[ColumnElement[bool], ...] = ()
    """What rows must meet to be seen at all: the user's own `live`."""
    lockable: bool = True
    """False where the database locks no rows of it: a view whose rows are no table's."""
    yields: bool = False
    """Whether SQLite does not refuse a row that conflicts with another one, but deletes that: ON CONFLICT REPLACE."""

    @property
    def columns(self) -> list[Column[Any]]:
        """The columns that are read or written."""
        parts = (self.match, self.place, self.other, self.quantity, self.updated_at, self.active)
        return [part.column for part in parts if part is not None]

    @property
    def fields(self) -> list[tuple[str, Column[Any]]]:
        """The columns by the names under which a row's new values are bound."""
        parts = {
            "v_match": self.match,
            "v_place": self.place,
            "v_other": self.other,
            "v_quantity": self.quantity,
            "v_updated_at": self.updated_at,
            "v_active": self.active,
        }
        return [(field, part.column) for field, part in parts.items() if part is not None]

    @property
    def keys(self) -> Iterator[Key]:
        """The columns that find a row, in index order."""
        yield self.match
        if self.place is not None:
            yield self.place
