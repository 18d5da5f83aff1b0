"""What the target holds in place of what it once acknowledged, found by comparing the snapshot with the live rows."""

from collections import Counter
from collections.abc import Iterable, Mapping

from stocksync.core.desired_state import SnapshotCells, is_retired
from stocksync.core.model import Cell, Figure, Removal, RowLocator, SnapshotCell, SnapshotProduct, TargetRow


def forgotten(cells: SnapshotCells) -> dict[Cell, SnapshotCell]:
    """Give the cells as they are to another target: read from Qoyod, and never written."""
    return {cell: one._replace(acked=None, sent=None, intent=None, sku="") for cell, one in cells.items()}


def to_confirm(cells: SnapshotCells, known: Mapping[int, SnapshotProduct], *, by_sku: bool) -> list[RowLocator]:
    """Name the rows that were acknowledged; those with an open intent are looked up in any case.

    Where rows are found by SKU, one that several cells wrote tells nothing of a product that has left it to another.
    """
    written = {cell: one for cell, one in cells.items() if one.acked is not None and one.intent is None}
    writers = Counter((one.sku, cell.place) for cell, one in written.items()) if by_sku else Counter()
    return [
        RowLocator(cell.product_id, one.sku, cell.place)
        for cell, one in written.items()
        if writers[one.sku, cell.place] < 2  # noqa: PLR2004
        or not has_left(one, known.get(cell.product_id))
    ]


def has_left(remembered: SnapshotCell, product: SnapshotProduct | None) -> bool:
    """Whether a product's row was taken out of use, or will be: another product may have it by now."""
    return isinstance(remembered.acked, Removal) or is_retired(product)


def contradicted(
    rows: Iterable[RowLocator], cells: SnapshotCells, live: Mapping[Cell, TargetRow]
) -> dict[Cell, Figure | None]:
    """Find the rows that hold something else than they acknowledged, and what it is; None: no row, or no number."""
    found = ((cell, cells[cell].acked, live.get(cell)) for cell in (row.cell for row in rows))
    return {
        cell: row.quantity if row is not None and row.rows == 1 else None
        for cell, acked, row in found
        if acked is not None and not _confirms(acked, row)
    }


def corrected(cells: SnapshotCells, found: Mapping[Cell, Figure | None]) -> dict[Cell, SnapshotCell]:
    """Give the cells with what stands in the target as the figure it acknowledged."""
    known = {cell: cells[cell]._replace(acked=figure, sent=None) for cell, figure in found.items() if cell in cells}
    return {**cells, **known}


def _confirms(acked: Figure, row: TargetRow | None) -> bool:
    if row is None:
        return acked is Removal.DELETED
    if row.unreadable:
        return True  # nothing is known that speaks against it
    untold = acked is Removal.DEACTIVATED and row.active is None
    return untold or row.holds(acked)
