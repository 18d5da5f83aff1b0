"""Column types on which SQLite, PostgreSQL and MariaDB agree, and the database's own clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MYSQL = {"mysql", "mariadb"}

Counter = BigInteger().with_variant(Integer, "sqlite")
"""An auto-incremented key: SQLite increments nothing but INTEGER."""
Digest = LargeBinary(32).with_variant(mysql.TINYBLOB, "mysql", "mariadb")
Blob = LargeBinary().with_variant(mysql.LONGBLOB, "mysql", "mariadb")


def micros(at: datetime) -> int:
    """Give microseconds since 1970 in UTC; exact."""
    return (at - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """Read back what `micros` gave."""
    return _EPOCH + timedelta(microseconds=value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since 1970 in UTC: exact and ordered on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Store."""
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read."""
        return None if value is None else instant(value)


class Key(TypeDecorator[str]):
    """Text of bounded length that is compared byte by byte: case and trailing spaces count."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        """Take the length in characters."""
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Name the collation, as the defaults of MariaDB and of many a PostgreSQL fold or reorder."""
        if dialect.name in _MYSQL:
            return dialect.type_descriptor(mysql.VARCHAR(self.length, charset="utf8mb4", collation=_collation(dialect)))
        return dialect.type_descriptor(String(self.length, collation="C" if dialect.name == "postgresql" else None))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Store."""
        return storable(value)


class Words(TypeDecorator[str]):
    """Text of any length, compared byte by byte."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Take LONGTEXT on MariaDB, whose TEXT ends at 64 KiB."""
        if dialect.name in _MYSQL:
            return dialect.type_descriptor(mysql.LONGTEXT(charset="utf8mb4", collation=_collation(dialect)))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Store."""
        return storable(value)


def storable(text: str | None) -> str | None:
    """Replace what no database takes (NUL, lone surrogates), lest one product's name stop a whole account."""
    if text is None or text.isascii():
        return text if text is None or "\0" not in text else text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _collation(dialect: Dialect) -> str:
    # utf8mb4_bin would take "A" and "A " for one key.
    return "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"


class database_now(FunctionElement[datetime]):  # noqa: N801  it reads as the SQL function that it is
    """The database's clock at this statement, whoever asks: the clock that leases run by."""

    type = Instant()
    inherit_cache = True


@compiles(database_now, "postgresql")
def _postgresql_now(_element: database_now, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401
    return "(extract(epoch from clock_timestamp()) * 1000000)::bigint"


@compiles(database_now, "mysql", "mariadb")
def _mysql_now(_element: database_now, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401
    return "timestampdiff(microsecond, '1970-01-01', utc_timestamp(6))"


@compiles(database_now, "sqlite")
def _sqlite_now(_element: database_now, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401
    seconds, fraction = "strftime('%s','now')", "substr(strftime('%f','now'), 4)"
    return f"(CAST({seconds} AS INTEGER) * 1000000 + CAST({fraction} AS INTEGER) * 1000)"


class statement_time(FunctionElement[datetime]):  # noqa: N801  as above
    """The database's clock when this statement began: the same wherever it stands in it."""

    type = Instant()
    inherit_cache = True


@compiles(statement_time, "postgresql")
def _postgresql_statement(_element: statement_time, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401
    return "(extract(epoch from statement_timestamp()) * 1000000)::bigint"


compiles(statement_time, "mysql", "mariadb")(_mysql_now)
compiles(statement_time, "sqlite")(_sqlite_now)
