"""Products that a person may mean by a word that is nobody's SKU."""

from sqlalchemy import case, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import whole_number
from stocksync.core.near_sku import KnownSku, pieces
from stocksync.state.digests import look_alike_key
from stocksync.state.schema import products

_CERTAIN = 20
_POSSIBLE = 500


async def near_skus(connection: AsyncConnection, account: str, typed: str) -> list[KnownSku]:
    """Give the living products whose SKU looks alike, whose id or name it is; else those that share pieces of it."""
    known = select(products.c.product_id, products.c.sku, products.c.name)
    known = known.where(products.c.account == account, products.c.gone_at.is_(None))
    word = typed.strip()
    called = [products.c.look_alike == look_alike_key(typed), func.lower(products.c.name) == word.lower()]
    if (product_id := whole_number(word)) is not None:
        called.append(products.c.product_id == product_id)
    query = known.where(or_(*called)).order_by(products.c.product_id).limit(_CERTAIN)
    if certain := (await connection.execute(query)).all():
        return [KnownSku._make(row) for row in certain]
    first, middle, last = pieces(typed)
    if not first:
        return []
    key = products.c.look_alike
    shares = (
        key.startswith(first, autoescape=True),
        key.contains(middle, autoescape=True),
        key.endswith(last, autoescape=True),
    )
    shared = sum((case((each, 1), else_=0) for each in shares), literal(0))
    query = known.where(or_(*shares)).order_by(shared.desc(), products.c.product_id).limit(_POSSIBLE)
    return [KnownSku._make(row) for row in (await connection.execute(query)).all()]
