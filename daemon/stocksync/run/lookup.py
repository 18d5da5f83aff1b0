"""One product, now: a fresh figure from Qoyod beside the snapshot's and the target's."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import structlog

from stocksync.core.answers import LocationStock, StockAnswer
from stocksync.core.desired_state import figure_now, is_retired, parts_by_place
from stocksync.core.model import BadRow, Cell, Product, Reading, RowLocator, SourceFigures, TargetRow, Verdict
from stocksync.core.policy import settle, total_of
from stocksync.errors import (
    NotFound,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    StocksyncError,
    TargetError,
    Unanswered,
    Unauthorized,
)
from stocksync.ports import Lease, Priority, Snapshot, StateQueries
from stocksync.run.account import Account
from stocksync.run.cycle import new_report
from stocksync.run.prepare import prepare_product
from stocksync.run.remarks import remark_on, times_in
from stocksync.run.remember import observed_of, remember_outcome
from stocksync.run.target_identity import snapshot_of
from stocksync.run.target_row import read_live
from stocksync.run.writer import Writer, finish

log = structlog.get_logger(__name__)

_SILENCES: Mapping[type[Exception], str] = {
    Unauthorized: "Qoyod refuses the credential",
    SourceRefused: "Qoyod refuses the question",
    SourceUnavailable: "Qoyod does not answer",
    SourceError: "Qoyod cannot be asked",
}
_PATIENCE = 5.0
"""Seconds a look-up waits for the cycle under way before it leaves the push to the next one."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for: exactly one of the two."""

    sku: str | None = None
    product_id: int | None = None

    def __str__(self) -> str:
        """As people say it."""
        return f"the SKU {self.sku!r}" if self.sku is not None else f"the id {self.product_id}"


async def look_up(
    account: Account, register: StateQueries, query: Query, lease: Lease | None, *, fresh: bool = True
) -> StockAnswer:
    """Answer from Qoyod, pushing a changed figure where the lease is ours; from the snapshot where Qoyod is away.

    Raises:
        NotFound: Qoyod (or, where it is not asked, the snapshot) knows no such product.
        Unanswered: Qoyod cannot be asked, and the snapshot does not know it.

    """
    product, silence = await _ask(account, query) if fresh else (None, None)
    if product is None:
        return await _remembered(account, register, query, silence)
    pushed, note = await _push(account, register, product, lease)
    snapshot = await account.state.snapshot(account.name, [product.id])
    places, remark = await _places(account, product.sku, product, snapshot)
    return StockAnswer(
        account.name, product.id, product.sku, product.name, product.tracked,
        fresh=True, at=product.read_at, places=places, pushed=pushed, note=remark or note,
        confirmed_at=product.read_at if product.stock else None, changed_at=_newest(places),
    )  # fmt: skip


async def _ask(account: Account, query: Query) -> tuple[Product | None, SourceError | None]:
    """Give the product, or why Qoyod does not show it."""
    try:
        found = await _find(account, query)
    except SourceError as error:
        words = next(words for kind, words in _SILENCES.items() if isinstance(error, kind))
        return None, type(error)(f"{words}: {error}")
    if found is None:
        raise NotFound(f"Qoyod knows no product with {query}")
    if isinstance(found, BadRow):
        return None, SourceUnavailable(f"Qoyod's row cannot be read: {found.path}: {found.reason}")
    if query.sku is not None and found.sku != query.sku:
        raise NotFound(f"Qoyod answered {query} with SKU {found.sku!r}: that is another product")
    return found, None


async def _find(account: Account, query: Query) -> Product | BadRow | None:
    if query.sku is not None:
        return await account.source.find(query.sku)
    return await account.source.product(query.product_id or 0, Priority.PERSON)


async def _push(account: Account, register: StateQueries, product: Product, lease: Lease | None) -> tuple[int, str]:
    if lease is None:
        return 0, "this process is not the writer: nothing was pushed"
    try:
        async with asyncio.timeout(_PATIENCE):
            await account.writing.acquire()
    except TimeoutError:
        return 0, "a cycle is writing; the next one pushes what is new"
    try:
        return await _push_locked(account, register, product, lease)
    except TargetError as error:
        return 0, f"the target cannot be asked: {error}; what has changed is written by the next poll"
    except StocksyncError as error:
        log.warning("lookup_not_pushed", account=account.name, product_id=product.id, error=str(error))
        return 0, f"not pushed: {error}"
    finally:
        account.writing.release()


async def _push_locked(account: Account, register: StateQueries, product: Product, lease: Lease) -> tuple[int, str]:
    ids = {product.id}
    shape = await account.shape()
    if shape.by_sku:
        # The row may have been another product's before.
        ids.update(await register.products_with(account.name, product.sku))
    if shape.loose:
        ids.update(await account.state.look_alikes(account.name, [product.sku]))
    snapshot = await snapshot_of(account, lease, sorted(ids))
    known = snapshot.products.get(product.id)
    if known is None and account.settings.filter:
        return 0, "no poll has shown it, perhaps it is outside poll.filter: nothing was pushed"
    listed = replace(product, page=known.page if known else 0)
    prepared = await prepare_product(account, reading_of(listed), snapshot)
    left = len(prepared.found.changes) - len(prepared.plan.apply)
    cycle_id = new_report(account, lease, "lookup-").cycle_id
    writer = Writer(account, lease, cycle_id)
    await writer.observe(observed_of(prepared, account.clock.now()), prepared.plan.apply)
    try:
        await writer.push(prepared.plan.apply)
    finally:
        await finish(remember_outcome(account, lease, cycle_id, prepared, writer.pushed))
    note = f"{left} changed figures wait for the next cycle, where the guards weigh them with all others"
    return len(writer.pushed.applied), note if left else ""


def reading_of(product: Product) -> Reading:
    """Make a reading of one product: it proves nothing of any other."""
    return Reading(
        Verdict.INCONSISTENT, ("one product was asked for",), {product.id: product}, (), {},
        total=None, pages=0, started_at=product.read_at, ended_at=product.read_at,
    )  # fmt: skip


async def _remembered(
    account: Account, register: StateQueries, query: Query, silence: SourceError | None
) -> StockAnswer:
    ids = await _ids(account, register, query)
    snapshot = await account.state.snapshot(account.name, ids)
    if not snapshot.products:
        unknown = f"the snapshot knows no product with {query}"
        raise NotFound(unknown) if silence is None else Unanswered(f"{silence}; {unknown}") from silence
    product_id, known = max(snapshot.products.items(), key=lambda item: item[1].sku == query.sku)
    cells = {cell: remembered for cell, remembered in snapshot.cells.items() if cell.product_id == product_id}
    places, remark = await _places(account, known.sku, None, replace(snapshot, cells=cells))
    # The answer as a whole is as old as its oldest figure.
    note = "" if silence is None else f"{silence} (this is the snapshot)"
    confirmed = min((place.confirmed_at for place in places if place.confirmed_at), default=None)
    return StockAnswer(
        account.name, product_id, known.sku, known.name, known.tracked,
        fresh=False, at=confirmed, places=places, note="; ".join(filter(None, (note, remark))),
        confirmed_at=confirmed, changed_at=_newest(places),
    )  # fmt: skip


def _newest(places: list[LocationStock]) -> datetime | None:
    return max((place.changed_at for place in places if place.changed_at), default=None)


async def _ids(account: Account, register: StateQueries, query: Query) -> list[int]:
    if query.product_id is not None:
        return [query.product_id]
    return await register.products_with(account.name, query.sku or "")


async def _places(
    account: Account, sku: str, product: Product | None, snapshot: Snapshot
) -> tuple[list[LocationStock], str]:
    parts = {cell: remembered.parts for cell, remembered in snapshot.cells.items()}
    shown = _parts_now(account, product) if product else parts
    cells = sorted({*parts, *shown})
    live, remark = await read_live(account, [RowLocator(cell.product_id, sku, cell.place) for cell in cells])
    places = [_place(account, cell, shown.get(cell), snapshot, live.get(cell)) for cell in cells]
    if not remark:
        places = [replace(place, in_target=cell in live) for cell, place in zip(cells, places, strict=True)]
    if product is not None:
        # It was asked for just now; what it shows no longer keeps the time at which it was last seen.
        places = [
            replace(place, confirmed_at=product.read_at, changed_at=place.changed_at or product.read_at)
            if cell in shown else place
            for cell, place in zip(cells, places, strict=True)
        ]  # fmt: skip
    return places, remark


def _parts_now(account: Account, product: Product) -> dict[Cell, SourceFigures]:
    found, _ = parts_by_place(product.stock, account.rules.places)
    return {Cell(product.id, place): parts for place, parts in found.items()}


def _place(
    account: Account, cell: Cell, parts: SourceFigures | None, snapshot: Snapshot, live: TargetRow | None
) -> LocationStock:
    remembered = snapshot.cells.get(cell)
    policy = account.rules.policy
    total: Decimal | None = total_of(parts) if parts else None
    known = snapshot.products.get(cell.product_id)
    fed = remembered is None or account.rules.feed(cell.place, remembered.parts)
    desired = remembered and figure_now(remembered, policy, known, fed=fed)
    if total is not None and not is_retired(known):
        desired = settle(total, policy).figure
    confirmed_at, changed_at = times_in(snapshot, cell) if remembered else (None, None)
    return LocationStock(
        place=cell.place,
        locations={location: snapshot.locations.get(location, "") for location, _ in parts or ()},
        source=total,
        desired=desired,
        snapshot=remembered.acked if remembered else None,
        target=live.quantity if live else None,
        sent=remembered.sent if remembered else None,
        confirmed_at=confirmed_at,
        changed_at=changed_at,
        remark=remark_on(account, cell, snapshot) if remembered else "",
    )
