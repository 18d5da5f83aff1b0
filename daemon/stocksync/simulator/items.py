"""What the simulated account consists of: locations, items, and the mix of a seeded catalogue."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self


@dataclass(frozen=True, slots=True)
class Location:
    """A warehouse, as `GET /inventories` lists it."""

    id: int
    english: str
    arabic: str
    default: bool


@dataclass(slots=True)
class Item:
    """A product or service."""

    id: int
    sku: str
    english: str
    arabic: str
    category_id: int
    unit: str
    price: Decimal
    """Selling price in riyals."""
    tracked: bool
    stock: dict[int, Decimal] = field(default_factory=dict)
    """Location id to quantity; empty where nothing ever moved, or nothing is tracked."""
    created: str = "2024-01-01T08:00:00.000Z"
    updated: str = "2024-01-01T08:00:00.000Z"
    revision: int = 0
    """Grows with every change, so that a rendered copy knows when it is old."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Which share of a seeded catalogue is how, from 0 to 1."""

    services: float = 0.06
    without_movement: float = 0.15
    """Of the tracked products; the share one real account showed."""
    negative: float = 0.02
    """Of the figures."""
    empty: float = 0.08
    """Of the figures: a real zero."""
    everywhere: float = 0.8
    """Of the products with stock: found in every location, the others in some."""

    @classmethod
    def full(cls) -> Self:
        """Every product tracked, with a figure in every location: for benchmarks."""
        return cls(services=0, without_movement=0, negative=0, empty=0, everywhere=1)
