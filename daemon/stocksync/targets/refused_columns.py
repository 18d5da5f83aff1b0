"""What was refused beside figures, remembered, so that a batch need not be halved for it at each new figure."""

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from stocksync.core.model import Cell
from stocksync.targets.batch import RowChange

_TRY_AGAIN = 3600.0
"""Seconds after which the same value is tried again: the column may have been mended."""


class _Refusal(NamedTuple):
    sku: str
    left_out: Mapping[str, str]
    until: float


class RefusedColumns:
    """By cell; of this process alone: another one finds out anew."""

    def __init__(self) -> None:
        """Know of none."""
        self._known: dict[Cell, _Refusal] = {}

    def spare(self, orders: list[RowChange]) -> list[RowChange]:
        """Leave out of each change what was refused of it lately; a new SKU is a new value."""
        if not self._known:
            return orders
        spared = []
        for order in orders:
            known = self._known.get(order.change.cell)
            if known is not None and (known.sku != order.change.sku or time.monotonic() > known.until):
                known = None
                del self._known[order.change.cell]
            left_out = {} if known is None else known.left_out
            sets = {name: value for name, value in order.sets.items() if name not in left_out}
            spared.append(order._replace(sets=sets, left_out={**order.left_out, **left_out}))
        return spared

    def learn(self, orders: Iterable[RowChange]) -> None:
        """Note what orders that went in went in without."""
        until = time.monotonic() + _TRY_AGAIN
        for order in orders:
            if order.left_out and order.change.cell not in self._known:
                self._known[order.change.cell] = _Refusal(order.change.sku, order.left_out, until)

    def forget(self, cells: Iterable[Cell]) -> None:
        """Let the next figures of these cells take everything along again."""
        for cell in cells:
            self._known.pop(cell, None)
