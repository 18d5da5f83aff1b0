"""Renders products in the wire shapes of the real API, once per change of a product."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import msgspec

from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.items import Item

StockAs = Literal["string", "number", "integer"]
TrackAs = Literal["bit", "bool", "text"]
Row = dict[str, object]
Pagination = dict[str, object]


@dataclass(frozen=True, slots=True)
class Style:
    """Which of the shapes seen in the wild an account sends."""

    stock: StockAs = "string"
    """`"36.2084"` (a real account), 36.2084 (the OpenAPI text), 36 where it is whole (the use case)."""
    track: TrackAs = "bit"
    """1/0, true/false, or "1"/"0"."""


def decimal_string(figure: Decimal) -> str:
    """Write a figure as Rails does: plain, never without a decimal place."""
    text = f"{figure:f}"
    if "." not in text:
        return text + ".0"
    whole, fraction = text.split(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def stock_value(figure: Decimal, stock: StockAs) -> object:
    """Give a figure the wire shape asked for."""
    if stock == "string":
        return decimal_string(figure)
    whole = stock == "integer" and figure == figure.to_integral_value()
    return int(figure) if whole else float(figure)


def track_value(track: TrackAs, *, tracked: bool) -> object:
    """Give `track_quantity` the wire shape asked for."""
    return {"bit": int(tracked), "bool": tracked, "text": str(int(tracked))}[track]


class Renderer:
    """Keeps every product's JSON until the product changes."""

    def __init__(self, catalogue: Catalogue, style: Style | None = None) -> None:
        self._catalogue = catalogue
        self._style = style or Style()
        self._rendered: dict[int, tuple[int, bytes]] = {}

    def row(self, item: Item) -> Row:
        """Build a product's row."""
        return {
            "id": item.id,
            "name_ar": item.arabic,
            "name_en": item.english,
            "description": f"{item.english} / {item.arabic}",
            "product_unit_type": item.unit,
            "category_id": item.category_id,
            "tax_id": 1,
            "type": "Product" if item.tracked else "Service",
            "is_inclusive": False,
            "sku": item.sku,
            "barcode": None,
            "selling_price": decimal_string(item.price),
            "buying_price": decimal_string(round(item.price * 7 / 10, 2)),
            "is_sold": True,
            "is_bought": item.tracked,
            "sales_account_id": 17,
            "expense_account_id": 43,
            "track_quantity": track_value(self._style.track, tracked=item.tracked),
            "unit_conversions": [],
            "custom_fields": {},
            "created_at": item.created,
            "updated_at": item.updated,
            "inventories": [
                {
                    "id": place,
                    "name_en": self._catalogue.locations[place].english,
                    "name_ar": self._catalogue.locations[place].arabic,
                    "stock": stock_value(figure, self._style.stock),
                }
                for place, figure in sorted(item.stock.items())
            ],
        }

    def product(self, item: Item) -> bytes:
        """Give a product's JSON, rendered anew only where the product has changed."""
        kept = self._rendered.get(item.id)
        if kept is not None and kept[0] == item.revision:
            return kept[1]
        rendered = msgspec.json.encode(self.row(item))
        self._rendered[item.id] = (item.revision, rendered)
        return rendered

    def page(self, items: Iterable[Item], pagination: Pagination | None) -> bytes:
        """Give a list page's JSON."""
        rows = b",".join(map(self.product, items))
        if pagination is None:
            return b'{"products":[' + rows + b"]}"
        return b'{"products":[' + rows + b'],"pagination":' + msgspec.json.encode(pagination) + b"}"

    def warm(self) -> None:
        """Render everything now, so that the first reading is as fast as the next."""
        for item in self._catalogue.items.values():
            self.product(item)

    def locations(self) -> list[Row]:
        """Build the rows of `GET /inventories`, whose field names differ from those in a product."""
        return [
            {
                "id": place.id,
                "name": place.english,
                "ar_name": place.arabic,
                "is_default": place.default,
                "account_id": 100 + place.id,
            }
            for place in self._catalogue.locations.values()
        ]
