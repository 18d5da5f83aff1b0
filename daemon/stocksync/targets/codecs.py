"""How our values become a column's and back, so that nothing is cut, rounded or mistaken on the way."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from sqlalchemy import Column, types
from sqlalchemy.dialects.mysql import BIT as MYSQL_BIT
from sqlalchemy.dialects.mysql import DOUBLE as MYSQL_DOUBLE
from sqlalchemy.dialects.mysql import FLOAT as MYSQL_FLOAT
from sqlalchemy.dialects.mysql import SET as MYSQL_SET

from stocksync.core.model import show


class UnsuitableValue(ValueError):
    """A value that its column cannot hold; the text says why."""


class WrongType(TypeError):
    """A column whose type cannot serve the field it is mapped to."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """The quantity's column."""

    column: Column[Any]
    encode: Callable[[Decimal], Any]
    decode: Callable[[Any], Decimal | None]
    scale: int | None
    inexact: bool = False
    """Whether it keeps some figures only nearly: a binary number of 4 bytes."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The column that says when the row was written."""

    column: Column[Any]
    encode: Callable[[datetime], Any]


@dataclass(frozen=True, slots=True)
class Flag:
    """The column that says whether the row is active."""

    column: Column[Any]
    encode: Callable[[bool], Any]


def quantity_of(name: str, kind: types.TypeEngine[Any], dialect: str) -> Quantity:
    """Choose how quantities are written; the scale is the decimals the column keeps.

    Raises:
        WrongType: neither a number nor text.

    """
    if isinstance(kind, types.Boolean | MYSQL_BIT | MYSQL_SET):
        raise WrongType
    if isinstance(kind, types.Integer):
        return Quantity(column_of(name, "quantity", kind, dialect), _exact(int, 0), number, 0)
    if isinstance(kind, types.Float):
        single = dialect != "sqlite" and isinstance(kind, types.REAL | MYSQL_FLOAT)
        if isinstance(kind, MYSQL_DOUBLE | MYSQL_FLOAT) and kind.scale is not None:
            rounded: Column[Any] = Column(name, types.Float(), key="quantity")
            return Quantity(rounded, _exact(float, kind.scale), number, kind.scale, single)
        decode = partial(number, single=True) if single else number
        return Quantity(column_of(name, "quantity", types.Float(), dialect), float, decode, None, single)
    if isinstance(kind, types.Numeric):
        scale = kind.scale if kind.scale is not None and kind.scale >= 0 else None
        encode = lossless if dialect == "sqlite" else Decimal
        return Quantity(column_of(name, "quantity", kind, dialect), _exact(encode, scale), number, scale)
    if isinstance(kind, types.String) and not isinstance(kind, types.Enum):
        return Quantity(column_of(name, "quantity", types.Text(), dialect), show, number, None)
    if isinstance(kind, types.NullType) and dialect == "sqlite":
        return Quantity(column_of(name, "quantity", kind, dialect), lossless, number, None)
    raise WrongType


def stamp_of(name: str, kind: types.TypeEngine[Any]) -> Stamp:
    """Choose how the instant is written: always in UTC.

    Raises:
        WrongType: neither an instant, a day, text nor a number of seconds.

    """
    column: Column[Any] = Column(name, kind, key="updated_at")
    if isinstance(kind, types.DateTime):
        return Stamp(column, lambda now: now if kind.timezone else now.astimezone(UTC).replace(tzinfo=None))
    if isinstance(kind, types.Date):
        return Stamp(column, lambda now: now.date())
    if isinstance(kind, types.String) and not isinstance(kind, types.Enum):
        return Stamp(column, lambda now: now.isoformat(timespec="seconds"))
    if isinstance(kind, types.Integer):
        return Stamp(column, lambda now: int(now.timestamp()))
    raise WrongType


def flag_of(name: str, kind: types.TypeEngine[Any], dialect: str) -> Flag:
    """Choose how `active` is written.

    Raises:
        WrongType: neither a boolean nor an integer.

    """
    if isinstance(kind, types.Boolean) and dialect != "sqlite":
        return Flag(Column(name, kind, key="active"), bool)
    if isinstance(kind, types.Boolean | types.Integer) or (isinstance(kind, MYSQL_BIT) and dialect != "postgresql"):
        return Flag(column_of(name, "active", types.Integer(), dialect), int)
    raise WrongType


def number(value: object, single: bool = False) -> Decimal | None:  # noqa: FBT001, FBT002
    """Read a quantity back exactly; None for NULL and for what is no finite number."""
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        value = _shortest(value) if single else repr(value)
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def truth(value: object) -> bool | None:
    """Read a flag back; None for NULL and for what is neither."""
    if isinstance(value, bytes):
        value = int.from_bytes(value, "big")
    return bool(value) if isinstance(value, int) else None


def column_of(name: str, field: str, kind: types.TypeEngine[Any], dialect: str) -> Column[Any]:
    """Declare a column; on SQLite any may hold anything, so values go through untouched and are judged here."""
    return Column(name, types.NullType() if dialect == "sqlite" else kind, key=field)


def _exact(encode: Callable[[Decimal], Any], scale: int | None) -> Callable[[Decimal], Any]:
    """Refuse decimals the column would round away in silence."""

    def check(value: Decimal) -> Any:  # noqa: ANN401  a driver's value
        if scale is not None and "." in (text := show(value)) and len(text.partition(".")[2]) > scale:
            raise UnsuitableValue(f"{text} has more decimals than the {scale} that the column keeps")
        return encode(value)

    return check


def lossless(value: Decimal) -> int | float | str:
    """Give SQLite what it keeps exactly: it has no decimals, and text in a NUMERIC column stays exact or as near."""
    if value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else show(value)


def _shortest(value: float) -> str:
    """Write a 4-byte float with the fewest digits that name it."""
    for digits in range(6, 9):
        text = f"{value:.{digits}g}"
        if struct.pack("f", float(text)) == struct.pack("f", value):
            return text
    return f"{value:.9g}"
