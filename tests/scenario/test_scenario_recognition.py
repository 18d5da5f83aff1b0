"""A cycle that trusts row digests and one that looks at every row come to the same, and to the same counts."""

import os
from random import Random
from typing import Any

import pytest
from scenario_shop import Shop
from sqlalchemy import update

from stocksync.core.report import CycleReport
from stocksync.run import target_identity
from stocksync.simulator.catalogue import Catalogue
from stocksync.state.schema import products

DEEDS = ("sale", "sale", "stock_take", "receipt", "rename", "swap", "untrack", "track", "leave", "delete", "create")
SKUS = ("P-01", "p-01", "P-02", "A", "B")
EDITS = (
    "UPDATE stock_levels SET quantity = 7 WHERE product_id % 4 = {}",
    "UPDATE stock_levels SET active = 0 WHERE product_id % 4 = {}",
    "DELETE FROM stock_levels WHERE product_id % 4 = {}",
)
FAULTS = (
    "",
    "",
    "",
    "page-2=500x9",
    "product-3=bad-stock:null",
    "product-4=hidden",
    "product-2=no-movements",
    "list=nothing",
)
RULES: dict[str, dict[str, Any]] = {
    "by id": {},
    "by SKU": {"target": {"match_by": "sku"}},
    "summed and held": {
        "target": {"columns": {"product_id": "product_id", "quantity": "quantity", "active": "active"}},
        "locations": {"map": {"1": "A", "3": "B"}},
        "policy": {"negative": "hold", "buffer": 1, "on_deleted": "zero"},
    },
    "mapped, the rest ignored": {
        "locations": {"map": {"1": "MAIN"}, "unmapped": "ignore"},
        "policy": {"negative": "zero", "on_untracked": "zero"},
    },
}


def do(deed: str, catalogue: Catalogue, random: Random) -> None:
    """Let one thing happen; what cannot happen now does not."""
    ids = sorted(item.id for item in catalogue.ordered())
    product, location = random.choice(ids), random.choice((1, 3))
    sku = random.choice(SKUS)
    if deed == "create":
        catalogue.create(sku, "New", stock={location: random.randint(-3, 9)})
    elif deed == "rename":
        catalogue.rename(product, sku)
    elif deed == "swap":
        other = random.choice(ids)
        first, second = catalogue.item(product).sku, catalogue.item(other).sku
        catalogue.rename(product, second)
        catalogue.rename(other, first)
    elif deed == "leave":
        catalogue.leave(product, location)
    elif deed in {"untrack", "track", "delete"}:
        getattr(catalogue, deed)(product)
    elif catalogue.item(product).tracked:
        getattr(catalogue, deed)(product, location, random.randint(0, 12))


def told(report: CycleReport) -> tuple[Any, ...]:
    counts = (
        report.outcome,
        report.verdict,
        report.counts,
        report.products,
        report.cells,
        report.changes,
        report.ignored,
    )
    return (*counts, dict(report.guards), report.discrepancies, report.orphaned, report.ignored)


async def kept(shop: Shop) -> tuple[Any, ...]:
    """Give all that is remembered but times, pages and digests, and what stands in the target."""
    snapshot = await shop.runtime.state.snapshot("main")
    cells = {cell: one._replace(source_at=None, unknown_since=None) for cell, one in snapshot.cells.items()}
    aging = {cell for cell, one in snapshot.cells.items() if one.unknown_since}
    products = {key: one._replace(page=0, gone_at=None) for key, one in snapshot.products.items()}
    gone = {key for key, one in snapshot.products.items() if one.gone_at}
    held = [sorted(one.cells) for one in snapshot.plans]
    column = "" if shop.account.rules.places.summed else "location_id, "
    rows = await shop.sql(f"SELECT product_id, {column}quantity, active FROM stock_levels ORDER BY 1, 2")
    return cells, aging, products, gone, set(snapshot.quarantine), held, rows


@pytest.mark.parametrize("edited", [False, True], ids=["", "edited"])
@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
async def test_digests_change_nothing_but_the_cost(
    open_shop: Any, rules: dict[str, Any], edited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_identity, "_RANGE", 5)
    monkeypatch.setattr(target_identity, "_PRODUCTS", 5)
    sections = {"poll": {"cross_check": 0, "per_page": 5}, "guards": {"minimum_cells": 3}, **rules}
    trusting, thorough = [await open_shop(12, **sections) for _ in range(2)]
    for shop in (trusting, thorough):
        await shop.cycle()
    random = Random(int(os.environ.get("STOCKSYNC_SEED", "4")))
    for _ in range(15):
        for _ in range(random.choice((0, 0, 1, 3))):
            deed, seed = random.choice(DEEDS), random.random()
            for shop in (trusting, thorough):
                do(deed, shop.catalogue, Random(seed))
        fault = random.choice(FAULTS)
        for shop in (trusting, thorough):
            shop.simulator.faults.clear()
            if fault:
                shop.simulator.faults.add(fault)
        async with thorough.runtime.state.engine.begin() as connection:
            await connection.execute(update(products).values(digest=None))
        begins = edited and random.random() < 0.5  # a process: it compares the rows with what was acknowledged
        if begins:
            edit = random.choice(EDITS).format(random.randrange(4))
            for shop in (trusting, thorough):
                await shop.sql(edit)
        ours, theirs = await trusting.cycle(confirm=begins), await thorough.cycle(full=begins)
        assert told(ours) == told(theirs)
        assert await kept(trusting) == await kept(thorough)
