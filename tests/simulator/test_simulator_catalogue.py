"""The seeded catalogue is believable, repeatable, and may be traded."""

import random
from decimal import Decimal
from itertools import pairwise

import pytest

from stocksync.errors import ConfigurationError, NotFound
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.items import Mix
from stocksync.simulator.render import Renderer
from stocksync.simulator.trade import Trader


def test_the_same_seed_gives_the_same_catalogue_and_another_seed_another() -> None:
    assert Catalogue(300, 3, seed=4).items == Catalogue(300, 3, seed=4).items
    assert Catalogue(300, 3, seed=4).items != Catalogue(300, 3, seed=5).items


def test_a_catalogue_holds_every_kind_of_product_a_merchant_has() -> None:
    items = list(Catalogue().items.values())
    tracked = [item for item in items if item.tracked]
    figures = [figure for item in items for figure in item.stock.values()]
    assert len(items) == 2000
    assert 0.03 < 1 - len(tracked) / len(items) < 0.10
    assert 0.12 < sum(not item.stock for item in tracked) / len(tracked) < 0.18
    assert any(figure < 0 for figure in figures)
    assert any(figure == 0 for figure in figures)
    assert any(figure != figure.to_integral_value() for figure in figures)
    assert any(item.sku.startswith("00") for item in items)
    assert any(item.created == item.updated for item in items)
    assert all(item.english.isascii() and not item.arabic.isascii() for item in items)
    assert len({item.sku for item in items}) == len(items)


def test_ids_ascend_with_gaps() -> None:
    ids = list(Catalogue().items)
    assert ids == sorted(ids)
    assert any(right - left > 1 for left, right in pairwise(ids))


def test_twenty_thousand_products_in_five_locations_are_built_and_rendered() -> None:
    catalogue = Catalogue(20_000, 5, mix=Mix.full())
    Renderer(catalogue).warm()
    assert len(catalogue.figures()) == 100_000


@pytest.fixture
def shop() -> tuple[Catalogue, int]:
    catalogue = Catalogue(0, 2)
    return catalogue, catalogue.create("A-1", stock={1: "10.5", 3: 2}).id


def test_deeds_move_the_figures_they_should(shop: tuple[Catalogue, int]) -> None:
    catalogue, product = shop
    assert catalogue.sale(product, 1, 11) == Decimal("-0.5")
    assert catalogue.receipt(product, 1, "0.25") == Decimal("-0.25")
    assert catalogue.stock_take(product, 3, 40) == Decimal(40)
    catalogue.transfer(product, 3, 1, 15)
    assert catalogue.figures() == {(product, 1): Decimal("14.75"), (product, 3): Decimal(25)}


def test_products_come_go_and_change_their_ways(shop: tuple[Catalogue, int]) -> None:
    catalogue, product = shop
    catalogue.rename(product, "A-2")
    catalogue.leave(product, 3)
    assert (catalogue.item(product).sku, set(catalogue.item(product).stock)) == ("A-2", {1})
    catalogue.untrack(product)
    assert catalogue.figures() == {}
    with pytest.raises(NotFound):
        catalogue.sale(product, 1, 1)
    catalogue.track(product)
    assert catalogue.receipt(product, 1, 3) == 3
    catalogue.delete(product)
    assert catalogue.create("A-3").id == product + 1
    with pytest.raises(NotFound):
        catalogue.item(product)


def test_a_figure_must_be_a_number_and_a_location_must_exist(shop: tuple[Catalogue, int]) -> None:
    catalogue, product = shop
    with pytest.raises(ValueError, match="NaN"):
        catalogue.stock_take(product, 1, "NaN")
    with pytest.raises(NotFound, match=r"\[1, 3\]"):
        catalogue.transfer(product, 1, 99, 1)
    with pytest.raises(ConfigurationError):
        Catalogue(5, 0)
    assert catalogue.figures()[product, 1] == Decimal("10.5")


def test_trade_is_the_same_for_the_same_seed() -> None:
    first, second = Catalogue(200, 3), Catalogue(200, 3)
    one, two = Trader(first, 9), Trader(second, 9)
    assert [one.step() for _ in range(500)] == [two.step() for _ in range(500)]
    assert first.figures() == second.figures()
    assert first.figures() != Catalogue(200, 3).figures()
    assert Trader(Catalogue(200, 3), 10).step() != Trader(Catalogue(200, 3), 9).step()


def test_trade_knows_all_four_deeds_and_explains_every_figure() -> None:
    catalogue = Catalogue(100, 3)
    figures = catalogue.figures()
    trader, deeds = Trader(catalogue), set()
    for _ in range(600):
        event = trader.step()
        assert event is not None
        deeds.add(event.deed)
        key = (event.product_id, event.location_id)
        before = figures.get(key, Decimal(0))
        figures[key] = {
            "receipt": before + event.quantity,
            "stock_take": event.quantity,
        }.get(event.deed, before - event.quantity)
        if event.destination is not None:
            other = (event.product_id, event.destination)
            figures[other] = figures.get(other, Decimal(0)) + event.quantity
    assert deeds == {"sale", "receipt", "stock_take", "transfer"}
    assert figures == catalogue.figures()


def test_trade_copes_with_products_that_come_and_go() -> None:
    catalogue, lot = Catalogue(12, 1), random.Random(1)
    trader = Trader(catalogue)
    while catalogue.items:
        trader.step()
        catalogue.delete(lot.choice(catalogue.ordered()).id)
    assert trader.step() is None
    new = catalogue.create()
    event = trader.step()
    assert event is not None
    assert event.product_id == new.id
