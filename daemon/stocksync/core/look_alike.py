"""SKUs that a database may take for one though they are not: other case, accents, padding, leading zeros."""

import unicodedata
from collections.abc import Iterable, Mapping

from stocksync.core.model import Product, RowLocator, SnapshotProduct

Rivals = Mapping[int, tuple[RowLocator, ...]]
"""Product id to the other products whose SKU looks like its own."""
_TATWEEL = "\u0640"


def folded(sku: str) -> str:
    """Give what loose comparisons have in common: two SKUs with one folded form may be one row."""
    plain = sku.casefold()
    if not sku.isascii():
        # Without accents, and with the digits of every script as 0 to 9.
        plain = "".join(
            str(unicodedata.decimal(letter, letter))
            for letter in unicodedata.normalize("NFKD", plain)
            if not unicodedata.combining(letter) and letter != _TATWEEL
        )
    plain = plain.strip()
    return (plain.lstrip("0") or "0") if plain.isdecimal() else plain


def rivals_of(read: Iterable[Product], known: Mapping[int, SnapshotProduct]) -> Rivals:
    """Group the living products whose SKUs differ and yet look alike."""
    skus = {product_id: one.sku for product_id, one in known.items() if one.tracked and one.gone_at is None}
    for product in read:
        skus.pop(product.id, None)
        if product.tracked:
            skus[product.id] = product.sku
    groups: dict[str, list[RowLocator]] = {}
    for product_id, sku in skus.items():
        groups.setdefault(folded(sku), []).append(RowLocator(product_id, sku, ""))
    return {
        ours.product_id: others
        for group in groups.values()
        if len(group) > 1
        for ours in group
        if (others := tuple(one for one in group if one.sku != ours.sku))
    }


def sku_groups(bearers: Iterable[tuple[int, str]]) -> dict[int, int]:
    """Give the products that may share a row with another one, each with the least id of its group.

    `bearers` are products with each SKU that they bear or bore. Whoever looks like one of a group belongs to it.
    """
    named: dict[int, int] = {}

    def group_of(product_id: int) -> int:
        while product_id in named:
            beyond = named[product_id]
            # Each step shortens the way: of a thousand who bear one SKU it would be as long as they are many.
            named[product_id] = named.get(beyond, beyond)
            product_id = beyond
        return product_id

    first: dict[str, int] = {}
    for product_id, sku in bearers:
        least, other = sorted((group_of(product_id), group_of(first.setdefault(folded(sku), product_id))))
        if least != other:
            named[other] = least
    return {product_id: group_of(product_id) for product_id in list(named)}
