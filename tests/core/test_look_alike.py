"""Which SKUs a database may take for one."""

import pytest
from making import known, product

from stocksync.core.look_alike import folded, rivals_of, sku_groups
from stocksync.core.model import RowLocator


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A-1", "a-1"),
        ("A-1", "A-1 "),
        ("Café", "CAFE"),
        ("straße", "STRASSE"),
        ("007", "7"),
        ("\u0667", "7"),
        ("قطـعة", "قطعة"),
        ("مُنتج", "منتج"),
    ],
)
def test_what_loose_comparisons_take_for_one_folds_alike(one, other):
    assert folded(one) == folded(other)


@pytest.mark.parametrize(("one", "other"), [("A-1", "A-2"), ("A-1", "A1"), ("00", "0A"), ("70", "7"), ("", "A")])
def test_what_no_comparison_takes_for_one_does_not(one, other):
    assert folded(one) != folded(other)


def test_rivals_are_the_living_products_with_another_sku_that_looks_alike():
    read = [product(1, {1: 5}, sku="A-1"), product(2, {1: 5}, sku="B-1"), product(3, tracked=False, sku="a-1")]
    snapshot = {
        1: known("old"),
        2: known("a-1"),
        3: known("a-1"),
        4: known("a-1"),
        5: known("A-1"),
        6: known("a-1", gone_at=1),
    }
    rivals = rivals_of(read, snapshot)
    assert rivals[1] == (RowLocator(4, "a-1", ""),)
    assert rivals[4] == (RowLocator(5, "A-1", ""), RowLocator(1, "A-1", ""))
    assert rivals.keys() == {1, 4, 5}


def test_look_alikes_fold_numbers_and_leave_words_alone():
    assert folded("007") == folded("7")
    assert folded("000") == folded("0")
    assert folded("0x7") != folded("x7")


def test_whoever_bears_or_bore_a_sku_like_anothers_is_of_its_group():
    bearers = [(7, "A"), (9, "B"), (3, "a"), (3, "C"), (5, "c"), (8, "D"), (9, "B")]
    assert sku_groups(bearers) == {7: 3, 5: 3}


def test_thousands_who_bear_one_sku_are_one_group():
    many = 50_000
    assert set(sku_groups((product_id, "") for product_id in range(many, 0, -1)).values()) == {1}
