"""Pushing what look-ups found: at once where nothing is written just now, else all together when that has ended."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from stocksync.core.model import Product, Reading, Verdict
from stocksync.errors import StocksyncError, TargetError
from stocksync.ports import Lease, StateQueries
from stocksync.run.account import Account
from stocksync.run.cycle import new_report
from stocksync.run.finishing import finish
from stocksync.run.prepare import prepare_products
from stocksync.run.remember import observed_of, remember_outcome
from stocksync.run.target_identity import snapshot_of
from stocksync.run.writer import Writer

log = structlog.get_logger(__name__)

_GRACE = 2.0
"""Seconds that an answer waits for its own push where nothing else is written; mostly it takes some milliseconds."""
_AFTER_THE_CYCLE = "a cycle is writing; what is new is written as soon as it has ended"
NOT_WRITER = "this process is not the writer: nothing was pushed"
_OUTSIDE = "no poll has shown it, perhaps it is outside poll.filter: nothing was pushed"
_LATER = "{} changed figures wait for the next cycle, where the guards weigh them with all others"


@dataclass(frozen=True, slots=True)
class Push:
    """What became of the figures that a look-up showed."""

    pushed: int = 0
    """Cells that were written."""
    note: str = ""
    """What a person should know of it."""


@dataclass(slots=True)
class LookupPushes:
    """One account's pushes, in a task of their own: they wait for a cycle, and nobody waits for them."""

    account: Account
    register: StateQueries
    lease: Callable[[], Lease | None]
    """The right to write, as it is when it is needed."""
    _waiting: dict[int, Product] = field(default_factory=dict)
    """The newest of each product: a hundred look-ups of one are pushed once."""
    _results: dict[int, "asyncio.Future[Push]"] = field(default_factory=dict)
    task: "asyncio.Task[None] | None" = None

    def add(self, product: Product) -> "asyncio.Future[Push]":
        """Push a product as soon as nothing else is written; the result is for all who look it up meanwhile."""
        self._waiting[product.id] = product
        result = self._results.setdefault(product.id, asyncio.get_running_loop().create_future())
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._run(), name=f"look-ups {self.account.name}")
        return result

    async def _run(self) -> None:
        while self._waiting:
            async with self.account.writing:
                products, self._waiting = list(self._waiting.values()), {}
                results = {product.id: self._results.pop(product.id) for product in products}
                lease = self.lease()
                try:
                    pushes = {} if lease is None else await _push_found(self.account, self.register, products, lease)
                finally:
                    for product_id, result in results.items():
                        if not result.done():
                            result.set_result(pushes.get(product_id, Push(note=NOT_WRITER)))


async def push_news(
    account: Account, register: StateQueries, news: Sequence[Product], lease: Lease, pushes: LookupPushes | None
) -> Mapping[int, Push]:
    """Push what Qoyod has just shown, and give what became of it.

    With `pushes` nobody waits for a cycle, nor for a target that is slow: then it is pushed after.
    """
    if pushes is None:
        async with account.writing:
            return await _push_found(account, register, news, lease)
    busy, tasks = account.writing.locked(), {product.id: pushes.add(product) for product in news}
    if not busy:
        await asyncio.wait(tasks.values(), timeout=_GRACE)
    waits = Push(note=_AFTER_THE_CYCLE if busy else "what is new is being written")
    return {product_id: one.result() if one.done() else waits for product_id, one in tasks.items()}


async def _push_found(
    account: Account, register: StateQueries, products: Sequence[Product], lease: Lease
) -> Mapping[int, Push]:
    """Push what was read of single products, through the guards; the caller holds `account.writing`."""
    try:
        return await _push_or_raise(account, register, products, lease)
    except TargetError as error:
        note = f"the target cannot be asked: {error}; what has changed is written by the next poll"
    except StocksyncError as error:
        ids = [product.id for product in products]
        log.warning("lookup_not_pushed", account=account.name, product_id=ids[0], products=len(ids), error=str(error))
        note = f"not pushed: {error}"
    return {product.id: Push(note=note) for product in products}


async def _push_or_raise(
    account: Account, register: StateQueries, products: Sequence[Product], lease: Lease
) -> Mapping[int, Push]:
    snapshot = await snapshot_of(account, lease, await _touched(account, register, products))
    ids = {product.id for product in products}
    outside = {one for one in ids if account.settings.filter and one not in snapshot.products}
    listed = [
        replace(product, page=known.page if (known := snapshot.products.get(product.id)) else 0)
        for product in products
        if product.id not in outside
    ]
    results = {product_id: Push(note=_OUTSIDE) for product_id in outside}
    if not listed:
        return results
    prepared = await prepare_products(account, reading_of(listed), snapshot)
    cycle_id = new_report(account, lease, "lookup-").cycle_id
    writer = Writer(account, lease, cycle_id)
    await writer.observe(observed_of(prepared, account.clock.now()), prepared.plan.apply)
    try:
        await writer.push(prepared.plan.apply)
    finally:
        await finish(remember_outcome(account, lease, cycle_id, prepared, writer.pushed))
    planned = {change.cell for change in prepared.plan.apply}
    left = [change for change in prepared.found.changes if change.cell not in planned]
    for product in listed:
        waits = sum(change.product_id == product.id for change in left)
        pushed = sum(change.product_id == product.id for change in writer.pushed.applied)
        results[product.id] = Push(pushed, _LATER.format(waits) if waits else "")
    return results


async def _touched(account: Account, register: StateQueries, products: Sequence[Product]) -> list[int]:
    """Give the ids of these products and of all whose row theirs may be, or have been."""
    capabilities, touched = await account.capabilities(), {product.id for product in products}
    if capabilities.by_sku:
        for product in products:
            touched.update(await register.products_with(account.name, product.sku))
    if capabilities.loose:
        touched.update(await account.state.look_alikes(account.name, [product.sku for product in products]))
    return sorted(touched)


def reading_of(products: Sequence[Product]) -> Reading:
    """Make a reading of single products: it proves nothing of any other."""
    shown = {product.id: product for product in products}
    asked = [product.read_at for product in products]
    return Reading(
        Verdict.INCONSISTENT, ("single products were asked for",), shown, (), {}, total=None, pages=0,
        started_at=min(asked), ended_at=max(asked),
    )  # fmt: skip
