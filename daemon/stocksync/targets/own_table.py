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
    fields, by_sku = settings.columns, settings.match_by is MatchBy.SKU
    mysql = dialect.name in {"mysql", "mariadb"}
    moment = DATETIME(fsp=6) if mysql else DateTime(timezone=True)
    # The usual collations of MySQL hold "a", "A" and "a " to be one SKU.
    exact = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
    text = String(_KEY_LENGTH, collation=exact) if mysql else Text()
    wanted: list[tuple[str | None, types.TypeEngine[Any], bool, str | None]] = [
        (fields.product_id, BigInteger(), not by_sku, None),
        (fields.sku, text, by_sku, None),
        (fields.location, text, True, None),
        (fields.quantity, Numeric(QUANTITY_DIGITS, QUANTITY_SCALE), False, None),
        (fields.updated_at, moment, False, None),
        (fields.active, Boolean(), False, "1" if dialect.name != "postgresql" else "true"),
    ]
    columns: list[Column[Any]] = [
        Column(name, kind, primary_key=key, nullable=not key and not value, autoincrement=False, server_default=value)
        for name, kind, key, value in wanted
        if name is not None
    ]
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
