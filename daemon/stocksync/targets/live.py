"""Rows that a shop has deleted softly: the user's own condition for live rows, and what asks for one."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Inspector, Table, literal_column, select, types
from sqlalchemy.exc import DBAPIError

from stocksync.errors import ConfigurationError
from stocksync.sqlfaults import fault_of, reason
from stocksync.targets.settings import TargetSettings

_TOMBSTONE = re.compile(
    r"(is_?)?(soft_?)?(deleted|deletion|removed|trashed|archived)(_?(at|on|time|date|utc))?", re.IGNORECASE
)


def live_condition(connection: Connection, table: Table, settings: TargetSettings) -> tuple[ColumnElement[bool], ...]:
    """Give the user's condition as the database takes it; none where there is none.

    Raises:
        ConfigurationError: the database does not take it, in its own words.

    """
    if not settings.live:
        return ()
    # On lines of its own, so that a comment at its end hides nothing of ours.
    nothing: ColumnElement[bool] = literal_column("1 = 0", types.Boolean())
    condition: ColumnElement[bool] = literal_column(f"(\n{settings.live}\n)", types.Boolean())
    try:
        with connection.begin_nested():
            connection.execute(select(*table.columns).where(condition, nothing)).close()
    except DBAPIError as error:
        if fault_of(error).passes:
            raise
        raise ConfigurationError(
            f"{settings.where}.live: {settings.table} cannot be asked for rows that meet it: {reason(error)}"
        ) from error
    return (condition,)


def same_condition(one: str, other: str) -> bool:
    """Whether two conditions are the same text but for spaces, case and parentheses."""
    return _bare(one) == _bare(other)


def soft_deletion(
    inspector: Inspector, found: tuple[str, str | None], reflected: Mapping[str, Any], taken: Collection[str]
) -> Iterator[str]:
    """Propose a condition where the table looks as if deleted rows stayed in it; `taken` are the mapped columns."""
    if found[0] in inspector.get_view_names(found[1]):
        return
    for index in inspector.get_indexes(*found):
        where = _predicate(index)
        if index["unique"] and where and set(index["column_names"]) & set(taken):
            yield _proposal(found[0], f"its unique index {index['name']} holds only for some rows", where)
            return
    for name, column in reflected.items():
        if name not in taken and _TOMBSTONE.fullmatch(name):
            flag = isinstance(column["type"], types.Boolean | types.Integer)
            condition = (
                f"COALESCE({name}, {_no(column['type'])}) = {_no(column['type'])}" if flag else f"{name} IS NULL"
            )
            yield _proposal(found[0], f"column {name!r} looks as if it marked deleted rows", condition)
            return


def partial_index_fits(index: Mapping[str, Any], live: str) -> bool:
    """Whether a unique index holds for all rows, or for those that are live."""
    where = _predicate(index)
    return not where or bool(live and same_condition(where, live))


def _proposal(table: str, seen: str, condition: str) -> str:
    return f'{table}: {seen}: figures may go into rows that were deleted; keep them out with live = "{condition}"'


def _no(kind: types.TypeEngine[Any]) -> str:
    return "0" if isinstance(kind, types.Integer) else "false"


def _predicate(index: Mapping[str, Any]) -> str:
    options: Mapping[str, Any] = index.get("dialect_options", {})
    text = next((str(value) for name, value in options.items() if name.endswith("_where") and value is not None), "")
    text = text.strip()
    while text.startswith("(") and text.endswith(")") and _one_pair(text):
        text = text[1:-1].strip()
    return text


def _one_pair(text: str) -> bool:
    depth = 0
    for at, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if not depth:
            return at == len(text) - 1
    return False


def _bare(condition: str) -> str:
    return re.sub(r'[\s()"`]+', " ", condition).strip().casefold()
