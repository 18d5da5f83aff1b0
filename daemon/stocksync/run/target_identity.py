"""Whose acknowledgements the snapshot holds: those of the configured target, and of its rows as they stand."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from stocksync.core.first_contact import contradicted, corrected, forgotten, to_confirm
from stocksync.core.model import Cell, Figure
from stocksync.core.status import Side
from stocksync.ports import Lease, Snapshot
from stocksync.run.account import Account
from stocksync.threads import off_loop

log = structlog.get_logger(__name__)

_RANGE = 1000
"""Rows compared at a time, so that the event loop turns."""


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


async def compared(account: Account, snapshot: Snapshot) -> Snapshot:
    """Compare what was acknowledged with the live rows, and believe the rows: the state may come from a backup."""
    by_sku = (await account.capabilities()).by_sku
    rows = await off_loop(len(snapshot.cells), to_confirm, snapshot.cells, snapshot.products, by_sku=by_sku)
    found: dict[Cell, Figure | None] = {}
    for start in range(0, len(rows), _RANGE):
        part = rows[start : start + _RANGE]
        found |= contradicted(part, snapshot.cells, await account.target.read(part))
    if not found:
        return snapshot
    log.warning("target_differs", account=account.name, cells=len(found), of=len(rows))
    cells = await off_loop(len(snapshot.cells), corrected, snapshot.cells, found)
    return replace(snapshot, cells=cells, corrected=found)
