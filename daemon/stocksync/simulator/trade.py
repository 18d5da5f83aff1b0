"""Live trade: sales, receipts, stock takes and transfers, the same ones for the same seed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Literal

from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.goods import DIVISIBLE
from stocksync.simulator.items import Item

Deed = Literal["sale", "receipt", "stock_take", "transfer"]
_DEEDS: Sequence[Deed] = ("sale", "receipt", "stock_take", "transfer")
_OFTEN = (70, 15, 8, 7)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in the business."""

    deed: Deed
    product_id: int
    location_id: int
    quantity: Decimal
    destination: int | None = None
    """Of a transfer."""


class Trader:
    """Does one believable deed after the other to a catalogue; no clock, no sockets."""

    def __init__(self, catalogue: Catalogue, seed: int | str = 0) -> None:
        self._catalogue = catalogue
        self._random = Random(f"trade {seed}")  # noqa: S311 - a rehearsal needs repeatable, not secret
        self._known = -1
        self._goods: list[int] = []

    def step(self) -> Event | None:
        """Do one deed; None where nothing is tracked, so there is nothing to trade."""
        items = self._catalogue.items
        # Listing the goods anew each time would cost a pass over the whole catalogue per sale.
        if self._known != self._catalogue.generation:
            self._known = self._catalogue.generation
            self._goods = [item.id for item in items.values() if item.tracked]
        if not self._goods:
            return None
        item = items[self._random.choice(self._goods)]
        deed = self._random.choices(_DEEDS, _OFTEN)[0]
        place = self._random.choice(sorted(item.stock) or sorted(self._catalogue.locations))
        others = [other for other in sorted(self._catalogue.locations) if other != place]
        if deed == "transfer" and others:
            event = Event(deed, item.id, place, self._amount(item, 12), self._random.choice(others))
            self._catalogue.transfer(item.id, place, event.destination or place, event.quantity)
            return event
        if deed == "stock_take":
            event = Event(deed, item.id, place, self._amount(item, 300))
            self._catalogue.stock_take(item.id, place, event.quantity)
            return event
        if deed == "receipt":
            event = Event(deed, item.id, place, self._amount(item, 60))
            self._catalogue.receipt(item.id, place, event.quantity)
            return event
        event = Event("sale", item.id, place, self._amount(item, 5))
        self._catalogue.sale(item.id, place, event.quantity)
        return event

    def _amount(self, item: Item, most: int) -> Decimal:
        if item.unit in DIVISIBLE:
            return Decimal(self._random.randint(1, most * 10_000)) / 10_000
        return Decimal(self._random.randint(1, most))


async def trade(trader: Trader, per_second: float) -> None:
    """Trade at this pace until cancelled; what a busy loop delayed is made up for."""
    loop = asyncio.get_running_loop()
    begun, done = loop.time(), 0
    while True:
        await asyncio.sleep(1 / per_second)
        due = int((loop.time() - begun) * per_second)
        for _ in range(done, due):
            trader.step()
        done = max(done, due)
