"""From changes to rows: what each one asks of the table, and which cannot be written at all."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from stocksync.core.model import Change, Removal, RowLocator
from stocksync.ports import BatchResult
from stocksync.targets.codecs import UnsuitableValue
from stocksync.targets.layout import Layout, RowKey
from stocksync.targets.settings import MatchBy, Missing

Row = dict[str, Any]

_COMPANIONS = {"v_other": "other", "v_updated_at": "updated_at", "v_active": "active"}
"""What is only written along with a figure, to the part of the layout that takes it."""


class RowChange(NamedTuple):
    """One change with its values as the columns take them."""

    change: Change
    key: RowKey
    finds: Row
    sets: Row
    """Empty for a deletion."""
    left_out: Mapping[str, str] = MappingProxyType({})
    """Columns, by the names of `sets`, that do not go along, with what was said of their values."""

    def without(self, names: Collection[str], words: str) -> "RowChange":
        """Give the same change without some of the columns."""
        sets = {name: value for name, value in self.sets.items() if name not in names}
        return self._replace(sets=sets, left_out={**self.left_out, **dict.fromkeys(names, words)})


@dataclass(slots=True)
class Batch:
    """Orders in key order, and the changes that no row can be found or made for."""

    orders: list[RowChange] = field(default_factory=list)
    misfits: list[tuple[Change, str]] = field(default_factory=list)


@dataclass(slots=True)
class BatchStatements:
    """What is to be executed, once it is known which rows are there."""

    updates: dict[tuple[str, ...], list[Row]] = field(default_factory=dict)
    """By the fields they set: rows of one shape go in one statement."""
    inserts: dict[tuple[str, ...], list[Row]] = field(default_factory=dict)
    """As the updates."""
    deletes: list[Row] = field(default_factory=list)
    written: BatchResult = field(default_factory=BatchResult)
    touched: list[RowChange] = field(default_factory=list)
    """What is to be read back."""
    made: list[RowChange] = field(default_factory=list)
    """Those of them whose row is inserted."""


@dataclass(slots=True)
class RowsThere:
    """The rows that a batch found."""

    count: Counter[RowKey] = field(default_factory=Counter)
    held: set[RowKey] = field(default_factory=set)
    """Keys of which another transaction holds a row."""


def row_key(layout: Layout, match_by: MatchBy, ref: RowLocator | Change) -> tuple[RowKey, Row]:
    """Give what finds a cell's row, exactly and as the columns take it.

    Raises:
        UnsuitableValue: no row can be the cell's: the SKU is empty, or a value does not fit its column.

    """
    wanted = ref.sku if match_by is MatchBy.SKU else str(ref.product_id)
    if not wanted:
        raise UnsuitableValue("the product has no SKU, and rows are matched by SKU")
    finds = {"b_match": _fit(layout.match.encode, wanted, layout.match.column.name)}
    if layout.place is None:
        return (wanted, ""), finds
    finds["b_place"] = _fit(layout.place.encode, ref.place, layout.place.column.name)
    return (wanted, ref.place), finds


def arrange(layout: Layout, match_by: MatchBy, changes: Iterable[Change], now: datetime) -> Batch:
    """Encode every change; one that does not fit harms nobody else."""
    batch = Batch()
    stamp: Row = {} if layout.updated_at is None else {"v_updated_at": layout.updated_at.encode(now)}
    for change in sorted(changes, key=attrgetter("cell")):
        try:
            key, finds = row_key(layout, match_by, change)
            batch.orders.append(_row_change(layout, change, key, finds, stamp))
        except UnsuitableValue as error:
            batch.misfits.append((change, str(error)))
    claims = Counter(order.key for order in batch.orders)
    rivals = [order for order in batch.orders if claims[order.key] > 1]
    if rivals:
        batch.orders = [order for order in batch.orders if claims[order.key] == 1]
        batch.misfits += [(order.change, f"several products claim {_named(order.key)}") for order in rivals]
    return batch


def sort_out(layout: Layout, missing: Missing, batch: Batch, found: RowsThere) -> BatchStatements:
    """Decide for each order between update, insert, delete, skip, refusal and waiting."""
    work = BatchStatements(written=BatchResult(ambiguous=list(batch.misfits)))
    for order in batch.orders:
        rows = found.count[order.key]
        if order.key in found.held:
            work.written.waiting.append(order.change)
        elif rows > 1:
            work.written.ambiguous.append((order.change, f"{rows} rows match {_named(order.key)}"))
        elif not rows and missing is Missing.SKIP and not isinstance(order.change.after, Removal):
            work.written.skipped.append(order.change)
        else:
            _add(layout, work, order, there=rows == 1)
            work.written.applied.append(order.change)
            work.written.met += rows == 1 and order.change.before is None
            if order.left_out:
                work.written.left_out[order.change.cell] = in_words(layout, order.left_out)
    return work


def lesser(order: RowChange, words: str) -> Iterator[RowChange]:
    """Give the change without each of the columns that only go along with its figure, then without all of them."""
    removal = isinstance(order.change.after, Removal)
    names = [name for name in _COMPANIONS if name in order.sets and not (removal and name == "v_active")]
    for name in names:
        yield order.without((name,), words)
    if len(names) > 1:
        yield order.without(names, words)


def column_of_part(layout: Layout, name: str) -> str:
    """Name the user's column that takes a value of `sets`."""
    part: Any = getattr(layout, _COMPANIONS[name])
    return str(part.column.name)


def in_words(layout: Layout, left_out: Mapping[str, str]) -> str:
    """Say which columns the figure was written without, and why."""
    by_words: dict[str, list[str]] = {}
    for name, words in left_out.items():
        by_words.setdefault(words, []).append(_quoted(layout, name))
    return "; ".join(f"written without {' and '.join(names)}: {words}" for words, names in by_words.items())


def left_out_by(layout: Layout, words: str) -> list[str]:
    """Name the columns, as `sets` does, that `in_words` told of; those that are no longer mapped are not among them."""
    mapped = [name for name, part in _COMPANIONS.items() if getattr(layout, part) is not None]
    return [name for name in mapped if _quoted(layout, name) in words]


def _quoted(layout: Layout, name: str) -> str:
    return f"column {column_of_part(layout, name)!r}"


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cut into pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _add(layout: Layout, work: BatchStatements, order: RowChange, *, there: bool) -> None:
    removal = isinstance(order.change.after, Removal)
    if there and not order.sets:
        work.deletes.append(order.finds)
    elif there:
        work.updates.setdefault(tuple(order.sets), []).append(order.finds | order.sets)
    elif not removal:
        row = {"v_match": order.finds["b_match"], **order.sets}
        if layout.place is not None:
            row["v_place"] = order.finds["b_place"]
        if layout.active is not None and "v_active" not in order.left_out:
            row["v_active"] = layout.active.encode(True)  # noqa: FBT003
        work.inserts.setdefault(tuple(row), []).append(row)
        work.made.append(order)
    work.touched.append(order)


def _row_change(layout: Layout, change: Change, key: RowKey, finds: Row, stamp: Row) -> RowChange:
    if change.after is Removal.DELETED:
        return RowChange(change, key, finds, {})
    if change.after is Removal.DEACTIVATED:
        if layout.active is None:
            raise UnsuitableValue("no `active` column is mapped, so the row cannot be deactivated")
        return RowChange(change, key, finds, {**stamp, "v_active": layout.active.encode(False)})  # noqa: FBT003
    sets = {**stamp, "v_quantity": _fit(layout.quantity.encode, change.after, layout.quantity.column.name)}
    if change.before is Removal.DEACTIVATED and layout.active is not None:
        sets["v_active"] = layout.active.encode(True)  # noqa: FBT003
    if layout.other is None:
        return RowChange(change, key, finds, sets)
    value = change.sku if layout.other.column.key == "sku" else str(change.product_id)
    try:
        encoded = None if not value and layout.other_nullable else layout.other.encode(value)
    except UnsuitableValue as error:  # it only goes along: the figure is written without it
        return RowChange(change, key, finds, sets).without(("v_other",), str(error))
    return RowChange(change, key, finds, {"v_other": encoded, **sets})


def _fit(encode: Any, value: Any, column: str) -> Any:  # noqa: ANN401  between our values and a driver's
    try:
        return encode(value)
    except UnsuitableValue as error:
        raise UnsuitableValue(f"column {column!r}: {error}") from None


def _named(key: RowKey) -> str:
    return f"{key[0]!r} at {key[1]!r}" if key[1] else repr(key[0])
