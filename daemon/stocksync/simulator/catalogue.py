"""The simulated account's truth: products, locations and figures, and what may happen to them.

Everything lives in memory and comes from one seed, so a simulation can use it without a socket or a clock.
"""

from collections.abc import Mapping
from decimal import Decimal

from stocksync.errors import ConfigurationError, NotFound
from stocksync.simulator import seeding
from stocksync.simulator.items import Item, Location, Mix

Quantity = Decimal | int | str


def _quantity(value: Quantity) -> Decimal:
    quantity = Decimal(value)
    if not quantity.is_finite():
        raise ValueError(f"a stock figure must be a number, not {value}")
    return quantity


class Catalogue:
    """Products by id in ascending order, and the mutations that a business makes to them."""

    def __init__(
        self, products: int = 2000, locations: int = 3, *, seed: int | str = 0, mix: Mix | None = None
    ) -> None:
        if products < 0 or locations < 1:
            raise ConfigurationError(f"a catalogue needs a location, and not {products} products")
        self.locations: dict[int, Location] = {place.id: place for place in seeding.places(locations)}
        seeded = seeding.items(products, tuple(self.locations), seed, mix or Mix())
        self.items: dict[int, Item] = {item.id: item for item in seeded}
        self.generation = 0
        """Grows when a product comes, goes, or begins or ends to be tracked."""
        self._next_id = max(self.items, default=0) + 1
        self._ordered: tuple[int, list[Item]] = (-1, [])

    def __len__(self) -> int:
        """Count the products and services."""
        return len(self.items)

    def ordered(self) -> list[Item]:
        """List everything by ascending id; the list is shared, so leave it as it is."""
        if self._ordered[0] != self.generation:
            self._ordered = (self.generation, list(self.items.values()))
        return self._ordered[1]

    def figures(self) -> dict[tuple[int, int], Decimal]:
        """Give the truth: (product id, location id) to quantity, of tracked products."""
        return {(i.id, place): figure for i in self.items.values() if i.tracked for place, figure in i.stock.items()}

    def sale(self, product_id: int, location_id: int, quantity: Quantity) -> Decimal:
        """Sell: the figure falls, below zero where it must. Gives the new figure."""
        return self._move(product_id, location_id, -_quantity(quantity))

    def receipt(self, product_id: int, location_id: int, quantity: Quantity) -> Decimal:
        """Receive goods of a bill. Gives the new figure."""
        return self._move(product_id, location_id, _quantity(quantity))

    def stock_take(self, product_id: int, location_id: int, quantity: Quantity) -> Decimal:
        """Set a counted, absolute figure; it may be any number, negative ones included."""
        item = self._tracked(product_id)
        item.stock[self._place(location_id)] = _quantity(quantity)
        self._touch(item)
        return item.stock[location_id]

    def transfer(self, product_id: int, source: int, destination: int, quantity: Quantity) -> None:
        """Move goods between two locations at once."""
        self._place(destination)
        self._move(product_id, source, -_quantity(quantity))
        self._move(product_id, destination, _quantity(quantity))

    def create(
        self,
        sku: str | None = None,
        english: str = "New product",
        *,
        arabic: str = "منتج جديد",
        tracked: bool = True,
        stock: Mapping[int, Quantity] | None = None,
    ) -> Item:
        """Add a product under the next id; ids are never used twice."""
        figures = {self._place(place): _quantity(figure) for place, figure in (stock or {}).items()}
        item = Item(self._next_id, sku or f"NEW-{self._next_id}", english, arabic, 1, "piece", Decimal(10), tracked)
        item.stock = figures
        self._next_id += 1
        self.items[item.id] = item
        self.generation += 1
        return item

    def delete(self, product_id: int) -> Item:
        """Remove a product for good."""
        item = self.item(product_id)
        del self.items[product_id]
        self.generation += 1
        return item

    def rename(self, product_id: int, sku: str) -> None:
        """Give a product another SKU."""
        item = self.item(product_id)
        item.sku = sku
        self._touch(item)

    def untrack(self, product_id: int) -> None:
        """Stop tracking a product: its inventories become `[]`."""
        item = self.item(product_id)
        item.tracked, item.stock = False, {}
        self.generation += 1
        self._touch(item)

    def track(self, product_id: int) -> None:
        """Start tracking a product; it has no movement yet."""
        item = self.item(product_id)
        item.tracked = True
        self.generation += 1
        self._touch(item)

    def leave(self, product_id: int, location_id: int) -> None:
        """Let a location disappear from a product's inventories."""
        item = self.item(product_id)
        item.stock.pop(location_id, None)
        self._touch(item)

    def item(self, product_id: int) -> Item:
        """Find a product.

        Raises:
            NotFound: there is none of this id.

        """
        try:
            return self.items[product_id]
        except KeyError:
            raise NotFound(f"the simulator has no product {product_id}") from None

    def _tracked(self, product_id: int) -> Item:
        item = self.item(product_id)
        if not item.tracked:
            raise NotFound(f"the simulator does not track the stock of product {product_id}")
        return item

    def _place(self, location_id: int) -> int:
        if location_id not in self.locations:
            raise NotFound(f"the simulator has no location {location_id}; it has {sorted(self.locations)}")
        return location_id

    def _move(self, product_id: int, location_id: int, quantity: Decimal) -> Decimal:
        item = self._tracked(product_id)
        figure = item.stock.get(self._place(location_id), Decimal(0)) + quantity
        item.stock[location_id] = figure
        self._touch(item)
        return figure

    @staticmethod
    def _touch(item: Item) -> None:
        # `updated` stays: in a real account it does not follow stock either.
        item.revision += 1
