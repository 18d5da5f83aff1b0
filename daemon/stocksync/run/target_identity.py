"""Whose acknowledgements the snapshot holds: those of the configured target, and of its rows as they stand."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import islice

import structlog

from stocksync.core.catalogue import Catalogue
from stocksync.core.desired_state import SnapshotCells
from stocksync.core.first_contact import contradicted, forgotten, has_left, to_confirm
from stocksync.core.model import Cell, Figure, SnapshotCell
from stocksync.core.status import Side
from stocksync.ports import Lease, Snapshot
from stocksync.run.account import Account
from stocksync.threads import off_loop

log = structlog.get_logger(__name__)

_RANGE = 2000
"""Rows compared at a time: the event loop turns between them."""
_PRODUCTS = 500
"""Products of which the cells are in memory at once."""


async def snapshot_of(account: Account, lease: Lease | None, product_ids: Sequence[int] | None = None) -> Snapshot:
    """Load the snapshot as it stands to the configured target; another one's acknowledgements are forgotten.

    Without a lease that happens in the answer alone.
    """
    snapshot = await account.state.snapshot(account.name, product_ids)
    if account.target_id in {"", snapshot.target}:
        return snapshot
    if lease is None and snapshot.target is None:
        return snapshot
    if lease is None:
        quarantine = {key: entry for key, entry in snapshot.quarantine.items() if entry.side == Side.SOURCE}
        return replace(snapshot, cells=forgotten(snapshot.cells), quarantine=quarantine, plans=(), met_anew=True)
    lost = await account.state.meet(lease, account.target_id)
    if snapshot.target is not None:
        hint = "the target was changed in the configuration: its rows are compared as at first contact"
        log.warning("target_changed", account=account.name, acknowledgements_forgotten=lost, hint=hint)
    return replace(await account.state.snapshot(account.name, product_ids), met_anew=snapshot.target is not None)


async def contradictions(account: Account, known: Catalogue, snapshot: Snapshot | None) -> dict[Cell, Figure | None]:
    """Compare all that was acknowledged with the live rows, of which those are right: the state may come from a backup.

    What is `known` is loaded part by part, where `snapshot` does not hold all of it already. Gives the cells that hold
    another figure, with that; None: no row, or no number.
    """
    found: dict[Cell, Figure | None] = {}
    compared = 0
    async for cells in _parts(account, known, snapshot):
        rows = await off_loop(len(cells), to_confirm, cells, {}, by_sku=False)
        compared += len(rows)
        for start in range(0, len(rows), _RANGE):
            some = rows[start : start + _RANGE]
            found |= contradicted(some, cells, await account.target.read(some))
    if found and (await account.capabilities()).by_sku:
        found = await _without_left_rows(account, found, _parts(account, known, snapshot))
    if found:
        log.warning("target_differs", account=account.name, cells=len(found), of=compared)
    return found


async def _without_left_rows(
    account: Account, found: dict[Cell, Figure | None], parts: AsyncIterator[SnapshotCells]
) -> dict[Cell, Figure | None]:
    """Leave out the rows by SKU that their products have left, and that other products write now."""
    held = await account.state.snapshot(account.name, sorted({cell.product_id for cell in found}))

    def left_by_their_products() -> dict[Cell, tuple[str, str]]:
        return {
            cell: (held.cells[cell].sku, cell.place)
            for cell in held.cells.keys() & found.keys()
            if has_left(held.cells[cell], held.products.get(cell.product_id))
        }

    left = await off_loop(len(held.cells), left_by_their_products)
    if not left:
        return found
    rows, written = set(left.values()), dict[Cell, SnapshotCell]()
    async for cells in parts:
        written |= {cell: one for cell, one in cells.items() if (one.sku, cell.place) in rows}
    alone = await off_loop(len(written), to_confirm, written, held.products, by_sku=True)
    theirs = left.keys() - {row.cell for row in alone}
    return {cell: figure for cell, figure in found.items() if cell not in theirs}


async def _parts(account: Account, known: Catalogue, snapshot: Snapshot | None) -> AsyncIterator[SnapshotCells]:
    if snapshot is not None:
        cells = iter(snapshot.cells.items())
        while part := dict(islice(cells, _RANGE)):
            yield part
        return
    # By their ids: of a table that PostgreSQL knows nothing of yet, a page in the order of keys costs all of it.
    ids = await off_loop(len(known.known), sorted, known.known)
    for start in range(0, len(ids), _PRODUCTS):
        yield (await account.state.snapshot(account.name, ids[start : start + _PRODUCTS])).cells
