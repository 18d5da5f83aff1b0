"""What a reading asks for, compared with what the target holds: slice by slice."""

import asyncio
from collections.abc import Mapping

from stocksync.core import absence
from stocksync.core.desired_state import (
    DesiredState,
    Rules,
    SnapshotCells,
    believable,
    desires_of,
    give_up_refused,
    is_retired,
    want_gone,
    want_open_intents,
    yield_skus,
)
from stocksync.core.diff import ChangeSet, DiffContext, diff, shut_rows, to_look_up
from stocksync.core.look_alike import Rivals, rivals_of
from stocksync.core.model import Cell, Product, SnapshotProduct
from stocksync.core.status import Side
from stocksync.run.account import Account
from stocksync.run.catalogue_slices import Slice, Slices
from stocksync.run.focus import skus_of
from stocksync.run.shared_table import SharedTable, known_products, overlap
from stocksync.threads import off_loop


def is_divisible(account: Account) -> bool:
    """Whether a part of the products can be compared by itself: nobody else's products have to do with their rows."""
    return not account.siblings


async def in_slices(account: Account, whole: Slice, size: int | None = None) -> Slices:
    """Cut what `is_divisible` into slices that can be compared by themselves."""
    capabilities = await account.capabilities()
    rows = len(whole.snapshot.cells) + len(whole.reading.products)
    return await off_loop(rows, Slices, whole, size, by_sku=capabilities.by_sku or capabilities.loose)


async def compare(account: Account, whole: Slice, *, bare: bool = False) -> tuple[DesiredState, ChangeSet]:
    """Compare slice by slice: the event loop turns between them, and of what was settled only counts are kept.

    A target that was found `bare` is not asked for rows: it had none.
    """
    desires, found = DesiredState(), ChangeSet()
    for part in await in_slices(account, whole) if is_divisible(account) else [whole]:
        derived, changed = await _compare_slice(account, part, bare=bare)
        derived.compared(part.snapshot.cells)
        desires.add(derived)
        found.add(changed)
        await asyncio.sleep(0)
    return desires, found


async def _compare_slice(account: Account, part: Slice, *, bare: bool) -> tuple[DesiredState, ChangeSet]:
    reading, snapshot, absent = part.reading, part.snapshot, part.absent
    capabilities, now = await account.capabilities(), account.clock.now()
    products = {**reading.products, **absent.alive}
    rows = max(len(snapshot.cells), sum(len(product.stock) for product in products.values()))
    cells = await off_loop(rows, believable, snapshot.cells, now)
    others = await overlap(account, cells, products)
    known = snapshot.products
    if capabilities.by_sku or capabilities.loose:
        known = await known_products(account, known, await off_loop(rows, skus_of, products.values(), snapshot))
    desires = await off_loop(rows, _derive, account.rules, products, part, cells, others=others)
    if capabilities.by_sku:
        await off_loop(rows, yield_skus, desires, products.values(), known, cells)
    wants, memory = desires.wants.values(), others.doubting(cells)
    live = {} if bare else await account.target.read(await off_loop(rows, to_look_up, wants, memory))
    shut = shut_rows(cells, known) if capabilities.by_sku else frozenset()
    rivals = await off_loop(rows, _rivals_of, products, known) if capabilities.loose else {}
    context = DiffContext(by_sku=capabilities.by_sku, creates=capabilities.creates, now=now, shut=shut, rivals=rivals)
    # Nothing waits whose figure stands, nor under a SKU that has changed since, as that may be the cure.
    before = snapshot.products
    waiting = {
        key: entry
        for key, entry in snapshot.quarantine.items()
        if entry.side != Side.COLUMN
        and (key[0] not in products or (key[0] in before and before[key[0]].sku == products[key[0]].sku))
    }
    return desires, await off_loop(rows, diff, wants, memory, live, waiting, context)


def _rivals_of(products: Mapping[int, Product], known: Mapping[int, SnapshotProduct]) -> Rivals:
    """Name rivals in one order, whatever order the pages came in: the target is asked for the first of them first."""
    return rivals_of([products[key] for key in sorted(products)], dict(sorted(known.items())))


def _derive(
    rules: Rules,
    products: Mapping[int, Product],
    part: Slice,
    cells: SnapshotCells,
    *,
    others: SharedTable,
) -> DesiredState:
    """Derive what the target should hold: of what was read, what is gone, and what was begun and not ended."""
    snapshot, absent, doubted = part.snapshot, part.absent, part.reading.doubted
    desires = desires_of(products.values(), others.corrected(cells), rules)
    others.leave(desires)
    others.refresh(desires, products)
    if not absent.unresolved:
        gone = absence.gone(snapshot.products, absent.updates)
        still_gone = {product_id: gone[product_id] for product_id in gone.keys() - products.keys()}
        want_gone(still_gone, snapshot.cells, rules, desires)
    alive = {product.id for product in products.values() if product.tracked}
    # Of what the list says wrongly nothing is repeated either: it may have been begun on that list's word.
    begun = {cell: one for cell, one in cells.items() if cell.product_id not in doubted} if doubted else cells
    want_open_intents(begun, snapshot.products, alive, rules, desires)
    entries = snapshot.quarantine.values()
    refused = [Cell(one.product_id, one.place) for one in entries if one.side == Side.TARGET and one.place is not None]
    retired: set[int] = set()
    for product_id in {cell.product_id for cell in refused}:
        read, known = products.get(product_id), absent.updates.get(product_id) or snapshot.products.get(product_id)
        # What was read now goes before what is known.
        if is_retired(known) if read is None else not read.tracked:
            retired.add(product_id)
    give_up_refused(refused, retired, cells, rules, desires)
    return desires
