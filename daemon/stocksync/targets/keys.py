"""What rows are found by: text on our side, and compared to the letter whatever the column makes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Column, types
from sqlalchemy.dialects.mysql import SET as MYSQL_SET

from stocksync.core.model import show
from stocksync.targets.codecs import UnsuitableValue, WrongType, column_of, number


class CharacterSet(NamedTuple):
    """How a MySQL text column keeps and compares its text."""

    charset: str
    collation: str


@dataclass(frozen=True, slots=True)
class Key:
    """A column that rows are found by: text on our side, whatever it is on theirs."""

    column: Column[Any]
    encode: Callable[[str], Any]
    decode: Callable[[Any], str]
    textual: bool
    """Whether the database's own comparison may be looser than ours (case, trailing spaces)."""
    letters: CharacterSet | None = None
    """Of a text column; known on MariaDB and MySQL alone."""
    own: types.TypeEngine[Any] | None = None
    """The column's own type, where it puts text in another order than text's: PostgreSQL's citext."""
    untyped: bool = False
    """SQLite's column without a type, to which 7 and '7' are two values: compared as text, whatever stands there."""


def key_of(name: str, field: str, kind: types.TypeEngine[Any], dialect: str, letters: CharacterSet | None) -> Key:
    """Choose how a key column is written and compared.

    Raises:
        WrongType: neither a number nor text.

    """
    if isinstance(kind, types.NullType) and dialect == "sqlite":
        encode = _as_people_do if field == "product_id" else _text
        return Key(column_of(name, field, kind, dialect), encode, _plain, textual=True, untyped=True)
    if isinstance(kind, MYSQL_SET):
        raise WrongType
    if isinstance(kind, types.Uuid):
        return Key(Column(name, kind, key=field), _uuid, str, textual=False)
    if isinstance(kind, types.Enum):
        return Key(Column(name, kind, key=field), _member(kind), str, textual=False)
    if isinstance(kind, types.Integer):
        whole = _whole(None if dialect == "sqlite" else kind)
        return Key(column_of(name, field, kind, dialect), whole, _plain, textual=False)
    if isinstance(kind, types.Numeric) and not isinstance(kind, types.Float):
        return Key(column_of(name, field, kind, dialect), _whole(None), _plain, textual=False)
    if isinstance(kind, types.String) or kind.__visit_name__ == "CITEXT":
        padded = isinstance(kind, types.CHAR)
        encode = _padded if padded else _text
        decode = (lambda value: _plain(value).rstrip(" ")) if padded else _plain
        checked = encode if letters is None else _within(letters.charset, encode)
        own = kind if kind.__visit_name__ == "CITEXT" else None
        text = column_of(name, field, types.Text(), dialect)
        return Key(text, checked, decode, textual=True, letters=letters, own=own)
    raise WrongType


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal | float):
        found = number(value)
        return str(value) if found is None else show(found)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)


def _text(text: str) -> str:
    if "\0" in text or (not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)):
        raise UnsuitableValue(f"{text!a} holds a character that databases do not keep")
    return text


_CHARSETS = {
    "ascii": "ascii",
    "latin1": "cp1252",
    "latin2": "iso8859-2",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1256": "cp1256",
    "greek": "iso8859-7",
    "utf8": "ucs2",
    "utf8mb3": "ucs2",
}
"""MySQL's character sets that lack letters; there, one foreign letter makes a whole look-up fail."""


def _within(charset: str, encode: Callable[[str], str]) -> Callable[[str], str]:
    codec = _CHARSETS.get(charset)
    if codec is None:
        return encode

    def check(text: str) -> str:
        try:
            fits = max(text, default="") < "\U00010000" if codec == "ucs2" else bool(text.encode(codec) or True)
        except UnicodeEncodeError:
            fits = False
        if not fits:
            raise UnsuitableValue(f"{text!r} has a letter that the column's character set {charset} lacks")
        return encode(text)

    return check


def _padded(text: str) -> str:
    if text.endswith(" "):
        raise UnsuitableValue(f"{text!r} ends in a space, which a CHAR column does not keep")
    return _text(text)


def _as_people_do(text: str) -> int | str:
    """Write a product id as the number that a shop's own statements will look for."""
    return int(text) if text.isascii() and text.isdecimal() and str(int(text)) == text else _text(text)


def _uuid(text: str) -> UUID:
    try:
        found = UUID(text)
    except ValueError:
        raise UnsuitableValue(f"{text!r} is no UUID, which the column holds") from None
    if str(found) != text:
        raise UnsuitableValue(f"{text!r} is not how a UUID is written: {found}")
    return found


def _member(kind: types.Enum) -> Callable[[str], str]:
    def encode(text: str) -> str:
        if text not in kind.enums:
            raise UnsuitableValue(f"{text!r} is none of the column's values: {', '.join(kind.enums)}")
        return text

    return encode


# SQLite keeps 64 bits whatever its column calls itself: None there.
_BITS = {"SMALLINT": 16, "BIGINT": 64, "TINYINT": 8, "MEDIUMINT": 24, "big_integer": 64, "small_integer": 16}


def _whole(kind: types.Integer | None) -> Callable[[str], int]:
    bits = 64 if kind is None else _BITS.get(kind.__visit_name__, 32)
    unsigned = getattr(kind, "unsigned", False)
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def encode(text: str) -> int:
        if not text.lstrip("-").isdecimal() or not text.isascii() or str(number := int(text)) != text:
            raise UnsuitableValue(f"{text!r} is no plain whole number, which the column holds")
        if not low <= number <= high:
            raise UnsuitableValue(f"{text} is beyond what the column holds ({low} to {high})")
        return number

    return encode
