"""The table that `create_table = true` makes."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Dialect, MetaData, Numeric, String, Table, Text, types
from sqlalchemy.dialects.mysql import DATETIME

from stocksync.errors import ConfigurationError
from stocksync.ports import Capabilities
from stocksync.targets.settings import MatchBy, Missing, TargetSettings

QUANTITY_DIGITS = 20
QUANTITY_SCALE = 6
"""Qoyod has been seen to send 4 decimals."""
_KEY_LENGTH = 190
"""Two such columns of 4-byte characters fit into one MySQL index."""


def own_table(settings: TargetSettings, dialect: Dialect) -> Table:
    """Describe our table, with the columns named as the mapping names them.

    Raises:
        ConfigurationError: the mapping leaves out the column that rows are matched by.

    """
    schema, dot, name = settings.table.partition(".")
    columns = list(_columns(settings, dialect))
    if not any(column.primary_key for column in columns):
        raise ConfigurationError(f"{settings.where}.columns.{settings.match_by}: rows are matched by it")
    where: dict[str, Any] = {"schema": schema} if dot else {}
    return Table(name if dot else settings.table, MetaData(), *columns, **where)


def unmade(settings: TargetSettings) -> Capabilities:
    """Describe our table before it is made."""
    fields = settings.columns
    return Capabilities(
        scale=QUANTITY_SCALE,
        summed=fields.location is None,
        by_sku=settings.match_by is MatchBy.SKU,
        creates=settings.missing is Missing.INSERT,
        can_deactivate=fields.active is not None,
        can_scan=True,
        unmade=True,
        notes=(f"the table {settings.table} is not there yet, the first write makes it",),
    )


def _columns(settings: TargetSettings, dialect: Dialect) -> list[Column[Any]]:
    fields, by_sku = settings.columns, settings.match_by is MatchBy.SKU
    moment = DATETIME(fsp=6) if dialect.name in {"mysql", "mariadb"} else DateTime(timezone=True)
    text = _text(dialect)
    wanted: list[tuple[str | None, types.TypeEngine[Any], bool, str | None]] = [
        (fields.product_id, BigInteger(), not by_sku, None),
        (fields.sku, text, by_sku, None),
        (fields.location, text, True, None),
        (fields.quantity, Numeric(QUANTITY_DIGITS, QUANTITY_SCALE), False, None),
        (fields.updated_at, moment, False, None),
        (fields.active, Boolean(), False, "1" if dialect.name != "postgresql" else "true"),
    ]
    return [_column(name, kind, key, default) for name, kind, key, default in wanted if name is not None]


def _column(name: str, kind: types.TypeEngine[Any], key: bool, default: str | None) -> Column[Any]:  # noqa: FBT001
    nullable = not key and default is None
    return Column(name, kind, primary_key=key, nullable=nullable, autoincrement=False, server_default=default)


def _text(dialect: Dialect) -> types.TypeEngine[Any]:
    if dialect.name not in {"mysql", "mariadb"}:
        return Text()
    # The usual collations there hold "a", "A" and "a " to be one SKU.
    exact = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
    return String(_KEY_LENGTH, collation=exact)
