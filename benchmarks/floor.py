"""The floor that a cycle is measured against: the same pages fetched as fast, decoded, and nothing done with them."""

import asyncio
from decimal import Decimal

import aiohttp
import msgspec

from stocksync.qoyod.client import open_session


class Location(msgspec.Struct):
    """What a location holds."""

    id: int
    stock: Decimal


class Product(msgspec.Struct):
    """The least that a sync must know of a product."""

    id: int
    sku: str | None
    track_quantity: int
    inventories: list[Location]


class Page(msgspec.Struct):
    """A page of the list."""

    products: list[Product]


_decoder = msgspec.json.Decoder(Page, strict=False)


async def fetch_and_decode(url: str, key: str, pages: int, concurrency: int) -> int:
    """Read every page once; give how many figures stood on them."""
    numbers = iter(range(1, pages + 1))
    figures = 0

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal figures
        for number in numbers:
            params = {"page": str(number), "per_page": "100", "q[s]": "id asc"}
            async with session.get(f"{url}/products", params=params, headers={"API-KEY": key}) as response:
                page = _decoder.decode(await response.read())
            figures += sum(len(product.inventories) for product in page.products)

    async with open_session() as session:
        await asyncio.gather(*(worker(session) for _ in range(concurrency)))
    return figures
