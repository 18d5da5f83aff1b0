"""Which products are asked for by id beside a reading, and what their answers prove."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import product, reading

from stocksync.core.crosscheck import Check, agree, sample, verdict_on
from stocksync.core.model import Cell


@pytest.mark.parametrize(
    ("results", "believed"), [("sss", True), ("ssd", True), ("sdd", False), ("d", False), ("", True)]
)
def test_more_than_a_third_of_confirmed_differences_is_not_believed(results, believed):
    names = {"s": Check.SAME, "d": Check.DIFFERENT}
    assert (verdict_on([names[letter] for letter in results]) == "") is believed


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 5), st.integers(0, 20), st.integers(0, 1000))
def test_a_sample_prefers_what_is_about_to_change_and_spares_one_for_the_others(products, changing, size, after, seed):
    read = reading(*(product(n, {3: 1}) for n in range(products)))
    cells = [Cell(n, "3") for n in range(min(changing, products))]
    chosen = sample(read, cells, size, after, seed).products
    assert len({one.id for one in chosen}) == len(chosen) == min(size, products)
    assert sum(one.id < len(cells) for one in chosen) >= min(size - 1, len(cells))


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 5), st.integers(0, 100))
def test_the_sample_reaches_every_product_whatever_trade_does(products, changing, size, after):
    read = reading(*(product(n, {3: 1}) for n in range(1, products + 1)))
    cells = [Cell(n, "3") for n in range(1, min(changing, products) + 1)]
    met, cycles = set(), 2 * (products + 1)
    for seed in range(cycles):
        chosen, after = sample(read, cells, size, after, seed)
        met |= {one.id for one in chosen}
    assert met == set(read.products)


def test_list_and_look_up_agree_on_sku_tracking_and_figures():
    listed = product(1, {1: 5})
    assert agree(listed, product(1, {1: 5}, page=7))
    assert not agree(listed, product(1, {1: 6}))
    assert not agree(listed, product(1, {1: 5}, sku="other"))
    assert not agree(listed, product(1, {1: 5}, tracked=False))
    assert not agree(listed, product(1, {1: 5}, sku="other", tracked=False))
