"""Many rows in one statement, for both databases: PostgreSQL takes one array a column, the others' drivers lists.

SQLAlchemy's own way with many rows, a dictionary each, costs Python more than the database's work on them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    CursorResult,
    Dialect,
    Enum,
    Executable,
    FromClause,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import Insert, Update
from sqlalchemy.types import TypeDecorator, TypeEngine

from stocksync.sqljson import StraightJoin, json_rows, packed, takes_json

Columns = dict[str, Sequence[Any]]
"""Values for many rows, by the keys of the columns that take them."""
NOTHING: Mapping[str, Any] = {}
_BETWEEN = "\x1f"
"""What stands between values for a moment: ASCII's own separator, which no text of a shop holds."""
_AT_ONCE = 1000
"""Rows that are dictionaries, which take some hundredths of a second to be prepared."""
_GIVEN, _SET = "given_", "set_"
"""Before the name of a parameter: SQLAlchemy keeps the columns' own names for itself, and an update may go along."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to be sent."""

    each: Columns
    """What differs from row to row."""
    same: Mapping[str, Any] = field(default_factory=dict)
    """What all rows have in common: it is sent once."""

    def with_same(self, **same: object) -> "Rows":
        """Give these rows with more that all of them have in common."""
        return Rows(self.each, {**self.same, **same})

    def __len__(self) -> int:
        """Count the rows."""
        return len(next(iter(self.each.values())))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give row by row."""
        rows = zip(*self.each.values(), strict=True)
        return ({**self.same, **dict(zip(self.each, row, strict=True))} for row in rows)


@dataclass(frozen=True, slots=True)
class RowUpdate:
    """Values to be set in rows of a table, each with its own."""

    table: Table
    keys: Sequence[str]
    """The columns that find a row."""
    rows: Rows
    """Keys and values, a row for each."""
    among: Mapping[str, Any]
    """Further columns with the values that all of the rows have."""

    def statement(self, how: str) -> Update:
        """Describe it, for rows that come as "arrays", as "json" or "each" by itself."""
        return _updating(self.table, how, tuple(self.rows.each), tuple(self.keys), tuple(self.among))


class _ArrayText(TypeDecorator[Sequence[Any]]):
    """A column's values as the text of an array: the driver looks at each value of a list, several times over."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: TypeEngine[Any]) -> None:
        super().__init__()
        self.kind = kind

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        each = self.kind.dialect_impl(dialect).bind_processor(dialect)
        text = _numbers_text if isinstance(_plain(self.kind), Integer | Numeric) else array_text
        if each is None:
            return text
        # What a type of ours does to text it does letter by letter, so that once for all values is enough.
        at_once = isinstance(_plain(self.kind), String)
        return lambda values: each(text(values)) if at_once else text(list(map(each, values)))


def _numbers_text(values: Sequence[float | Decimal | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def array_text(values: Sequence[Any]) -> str:
    """Write an array as PostgreSQL reads it."""
    try:
        joined = _BETWEEN.join(values)
    except TypeError:  # not all of them are text
        return _mixed_text(values)
    if joined.count(_BETWEEN) != len(values) - 1:  # one of them holds that letter, or there is none
        return _mixed_text(values)
    return '{"' + _escaped(joined).replace(_BETWEEN, '","') + '"}'


def _mixed_text(values: Sequence[Any]) -> str:
    if values.count(None) == len(values):
        return "{" + ",".join(["NULL"] * len(values)) + "}"
    texts = ["NULL" if value is None else f'"{_escaped(_text(value))}"' for value in values]
    return "{" + ",".join(texts) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return repr(value) if isinstance(value, float) else str(value)


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def takes_arrays(connection: AsyncConnection) -> bool:
    """Whether rows can be sent as arrays, to stand in a statement as a table."""
    return connection.dialect.name == "postgresql"


def array_of(name: str, kind: TypeEngine[Any], prefix: str = _GIVEN) -> ColumnElement[Any]:
    """Give a parameter that takes a column's values for many rows; `parameters` binds it."""
    plain = _plain(kind)
    # A cast to VARCHAR(20)[] would cut in silence what an insert refuses.
    bounded = isinstance(plain, String) and not isinstance(plain, Enum)
    return cast(bindparam(prefix + name, type_=_ArrayText(kind)), ARRAY(Text() if bounded else plain))


def parameters(columns: Mapping[str, Any], prefix: str = _GIVEN) -> dict[str, Any]:
    """Give the values that arrays, and what all rows have in common, are bound to."""
    return {prefix + name: values for name, values in columns.items()}


def unnested(types: Mapping[str, TypeEngine[Any]], prefix: str = _GIVEN, *, comes_again: bool = True) -> FromClause:
    """Give the table that arrays make, column by column.

    A plan takes it for a table of ten rows, whatever is in it, and so looks each of them up by an index. One for the
    types of a user's table does not come again where hundreds of accounts have one each, and is not kept.
    """
    describe = _unnested if comes_again else _unnested.__wrapped__
    return describe(tuple(types.items()), prefix)


@lru_cache(maxsize=256)  # to describe it takes longer than to send a small batch
def _unnested(types: tuple[tuple[str, TypeEngine[Any]], ...], prefix: str) -> FromClause:
    arrays = [array_of(name, kind, prefix) for name, kind in types]
    columns: list[Column[Any]] = [Column(name, kind) for name, kind in types]
    return func.unnest(*arrays).table_valued(*columns).render_derived(name="given")


def at_rows(
    table: Table, given: FromClause, keys: Mapping[str, str], mine: Callable[[Any], Sequence[ColumnElement[bool]]]
) -> tuple[Update, FromClause]:
    """Give an update of the rows of a PostgreSQL table that `given` is about, and `given` as it sees it.

    `keys` are columns of the table, with those of `given` that they equal, `mine` what else holds of each row. Each is
    looked up by the index, whatever the statistics say: where they know no row of the account, or none with a digest,
    a plan would hold each of its rows against each of `given`, for a minute with 2,500 of 200,000 products. So nothing
    stands in the update itself by which it could be begun from the table.
    """
    looked = table.alias("looked")
    equal = [looked.c[name] == given.c[other] for name, other in keys.items()]
    at: ColumnElement[Any] = literal_column("looked.ctid").label("at")
    found = select(at).where(*mine(looked.c), *equal).offset(literal_column("0")).lateral("found")
    sought = select(*given.c, found.c["at"]).select_from(given.join(found, true())).subquery("sought")
    same = [table.c[name] == sought.c[other] for name, other in keys.items()]
    return update(table).where(literal_column(f"{table.name}.ctid") == sought.c["at"], *same), sought


async def insert_rows(
    connection: AsyncConnection,
    statement: Insert,
    rows: Rows,
    given: Mapping[str, Any] = NOTHING,
    *,
    comes_again: bool = True,
) -> None:
    """Insert rows by one statement, in the order given; with no rows, not at all.

    `given` are values for parameters that the statement has beside its columns. One that does not come again, as the
    same object, is not kept.
    """
    if not len(rows):
        return
    if not takes_arrays(connection):
        await execute_each(connection, statement, ({**row, **given} for row in rows))
        return
    describe = _inserting if comes_again else _inserting.__wrapped__
    chosen = describe(statement, tuple(rows.each), tuple(rows.same), comes_again=comes_again)
    await connection.execute(chosen, {**parameters({**rows.same, **rows.each}), **given})


async def insert_and_update(
    connection: AsyncConnection,
    statement: Insert,
    rows: Rows,
    then: Update,
    given: Mapping[str, Any] = NOTHING,
    *,
    beside: RowUpdate | None = None,
    also: Iterable[Insert | Update] = (),
) -> CursorResult[Any]:
    """Insert rows, and execute an update of another table, of which `given` are the parameters; give its result.

    `beside` are further rows to be updated, in a third table. PostgreSQL takes all of it in one message. There alone it
    may be given `also`: what is done to still other tables, with its parameters in `given`.
    """
    if not (takes_arrays(connection) and len(rows)):
        if beside is not None:
            await update_rows(connection, beside)
        await insert_rows(connection, statement, rows)
        return await connection.execute(then, given)
    inserting, values = as_arrays(statement, rows)
    then = then.add_cte(inserting.cte("first"), *(other.cte(f"also_{at}") for at, other in enumerate(also)))
    values |= given
    if beside is not None and len(beside.rows):
        then = then.add_cte(beside.statement("arrays").cte("second"))
        values |= parameters({**beside.rows.each, **beside.among}, _SET)
    return await connection.execute(then, values)


async def execute_each(connection: AsyncConnection, statement: Executable, rows: Iterable[Mapping[str, Any]]) -> None:
    """Execute a statement for each row, some hundreds at a time: SQLAlchemy goes over all of them on the event loop."""
    each = iter(rows)
    while some := list(islice(each, _AT_ONCE)):
        await connection.execute(statement, some)


def as_arrays(statement: Insert, rows: Rows, prefix: str = _GIVEN) -> tuple[Insert, dict[str, Any]]:
    """Give the insert of rows that come as arrays, with its parameters; `prefix` tells two of one message apart."""
    chosen = _inserting(statement, tuple(rows.each), tuple(rows.same), prefix)
    return chosen, parameters({**rows.same, **rows.each}, prefix)


@lru_cache(maxsize=64)  # as above
def _inserting(
    statement: Insert, each: Sequence[str], same: Sequence[str], prefix: str = _GIVEN, *, comes_again: bool = True
) -> Insert:
    columns = statement.table.c
    given = unnested({name: columns[name].type for name in each}, prefix, comes_again=comes_again)
    bound = [bindparam(prefix + name, type_=columns[name].type) for name in same]
    return statement.from_select([*same, *each], select(*bound, *given.c))


async def update_rows(connection: AsyncConnection, update: RowUpdate) -> None:
    """Set values in rows; with no rows, nothing."""
    rows, same = update.rows, parameters(update.among, _SET)
    if not len(rows):
        return
    columns = update.table.c
    plain = all(isinstance(columns[name].type, Integer | LargeBinary) for name in rows.each)  # what JSON can bear
    if takes_arrays(connection):
        await connection.execute(update.statement("arrays"), parameters(rows.each, _SET) | same)
    elif plain and takes_json(connection):
        given = packed(zip(*rows.each.values(), strict=True))
        await connection.execute(update.statement("json"), given | same)
    else:
        await execute_each(connection, update.statement("each"), (parameters(row, _SET) | same for row in rows))


@lru_cache(maxsize=64)  # as above
def _updating(table: Table, how: str, each: Sequence[str], keys: Sequence[str], among: Sequence[str]) -> Update:
    columns, sets = table.c, [name for name in each if name not in keys]

    def mine(row: Any) -> list[ColumnElement[bool]]:  # noqa: ANN401  the columns of the table, or of an alias
        return [row[name] == bindparam(_SET + name, type_=columns[name].type) for name in among]

    types = {name: columns[name].type for name in each}
    if how == "arrays":
        changed, sought = at_rows(table, unnested(types, _SET), dict(zip(keys, keys, strict=True)), mine)
        return changed.values({name: sought.c[name] for name in sets})
    if how == "json":
        binary = {name for name in each if isinstance(columns[name].type, LargeBinary)}
        read = json_rows({name: "LONGTEXT CHARACTER SET ascii" if name in binary else "BIGINT" for name in each})
        join = StraightJoin(read, table, and_(*(columns[name] == read.c[name] for name in keys)))
        values = {columns[name]: func.unhex(read.c[name]) if name in binary else read.c[name] for name in sets}
        return update(join).where(*mine(columns)).values(values)
    bound = {name: bindparam(_SET + name, type_=kind) for name, kind in types.items()}
    equal = [columns[name] == bound[name] for name in keys]
    return update(table).where(*mine(columns), *equal).values({name: bound[name] for name in sets})
