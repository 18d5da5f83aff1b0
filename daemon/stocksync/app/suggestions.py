"""What to say beside "no such product": who is meant, as far as the snapshot knows."""

from collections.abc import Sequence

from stocksync.core.near_sku import KnownSku, did_you_mean, nearest
from stocksync.errors import NotFound
from stocksync.run.lookup import Query
from stocksync.state.database import Database


async def nobody_knows(state: Database, names: Sequence[str], query: Query, *, fresh: bool) -> NotFound:
    """Give the error for a product that neither Qoyod, where it was asked, nor the snapshot of these accounts knows."""
    whose = "Qoyod knows" if fresh else "the snapshot knows"
    sentence = f"{whose} no product with {query}"
    if fresh and len(names) > 1:
        sentence += f", in none of the accounts {', '.join(names)}"
    if query.sku is not None:
        hint = await hint_for_sku(state, names, query.sku)
    else:  # perhaps a SKU of digits was given for an id
        sku = str(query.product_id)
        ids = [product_id for name in names for product_id in await state.products_with(name, sku)]
        hint = f"did you mean the SKU {sku}, of product {ids[0]}?" if ids else ""
    return NotFound(f"{sentence}; {hint}" if hint else sentence)


async def hint_for_sku(state: Database, names: Sequence[str], typed: str) -> str:
    """Ask whether one of the accounts' products is meant: `did you mean OUD-00001?`; "" where none is near."""
    known: list[KnownSku] = []
    for name in names:
        known += await state.near_skus(name, typed)
    return did_you_mean(typed, nearest(typed, dict.fromkeys(known)))
