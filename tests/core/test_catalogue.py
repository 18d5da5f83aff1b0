"""What a cycle knows before it reads: what is in focus, what is counted of the rest, and what is looked at again."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from making import NOW, product, reading

from stocksync.core.catalogue import Catalogue, Recognised
from stocksync.core.model import BadRow, Product, Reading, SettledCounts, SettledProduct
from stocksync.core.recognition import gone_digest

MINUTES = timedelta(minutes=15)


def settled(digest: bytes = b"d", **counts: Any) -> SettledProduct:
    usual = {"unchanged": 2, "unmanaged": 0, "unmapped": 0, "managed": 2, "tracked": True}
    return SettledProduct(digest, SettledCounts(**usual | counts))


def seen(*products: Product, recognised: Iterable[int] = ()) -> Reading:
    return replace(reading(*products), recognised=frozenset(recognised))


def test_what_is_looked_at_again_is_not_recognised() -> None:
    known = {1: settled(b"one"), 2: settled(b"two"), 3: None}
    assert Catalogue.of(b"r", known).settled() == {b"one": 1, b"two": 2}
    assert replace(Catalogue.of(b"r", known), again=frozenset({1, 3})).settled() == {b"two": 2}
    assert Catalogue.of(b"r", {2: known[2]}).settled() == {b"two": 2}


def test_what_products_are_settled_with_is_given_of_those_that_are() -> None:
    known = {1: settled(b"one"), 2: settled(b"two"), 3: None, 4: settled(b"four", managed=0)}
    found = Catalogue.of(b"r", known).settled_with({2, 3, 4, 5})
    assert found == {2: known[2], 4: known[4]}


def test_in_focus_is_all_but_what_was_recognised_or_is_long_gone() -> None:
    known = {1: settled(), 2: settled(), 3: None, 4: settled(gone_digest(4)), 5: settled(), 6: settled(gone_digest(6))}
    catalogue = replace(Catalogue.of(b"r", known), again=frozenset({5, 6}))
    assert catalogue.in_focus(seen(product(9), recognised={1, 5})) == {2, 3, 5, 6, 9}


def test_in_focus_is_what_cannot_be_read_and_product_0_for_a_row_of_no_product() -> None:
    bad = [BadRow(number, 1, "$.products[0]", "Expected a decimal", NOW) for number in (7, None)]
    shown = replace(reading(bad=bad), recognised=frozenset({1, 7}))
    catalogue = Catalogue.of(b"r", {1: settled(b"one"), 7: settled(b"seven")})
    assert catalogue.in_focus(shown) == {7, 0}


def test_what_is_left_out_is_counted_and_of_rebuilt_products_the_unmapped_places_alone() -> None:
    known = {
        1: settled(unchanged=2, unmanaged=3, unmapped=5, managed=7),
        2: settled(unchanged=11, unmanaged=13, unmapped=17, managed=19, tracked=False),
        3: settled(unchanged=23, unmanaged=29, unmapped=31, managed=37),
        4: None,
    }
    counted = Catalogue.of(b"r", known).left_out(seen(recognised={1, 2, 3, 4}), {3, 4}, {3, 4})
    assert counted == Recognised(
        products=4, tracked=2, unchanged=2 + 11, unmanaged=3 + 13, unmapped=5 + 17 + 31, managed=7 + 19
    )


def test_each_product_has_its_turn_once_a_day() -> None:
    catalogue = Catalogue.of(b"r", {key: settled(managed=0) for key in range(1, 301)})
    midnight = datetime(2026, 11, 29, tzinfo=UTC)
    turns = [catalogue.due_again(midnight + number * MINUTES, MINUTES, 3) for number in range(96)]
    assert sorted(one for turn in turns for one in turn) == [*range(1, 301)]
    assert max(map(len, turns)) <= 4
    assert catalogue.due_again(midnight, timedelta(days=3), 0) == frozenset(range(1, 301)), "a day is the least"


@pytest.mark.parametrize(("count", "most"), [(20_000, 256), (100_000, 1152)])
def test_neighbours_have_their_turn_together_and_no_turn_is_much_larger(count: int, most: int) -> None:
    catalogue = Catalogue.of(b"r", dict.fromkeys(range(count)))
    midnight = datetime(2026, 11, 29, tzinfo=UTC)
    turns = [catalogue.due_again(midnight + number * MINUTES, MINUTES, 0) for number in range(96)]
    assert max(map(len, turns)) <= most
    pages = [{key // 100 for key in turn} for turn in turns]
    assert max(map(len, pages)) <= 3 * most // 128, "all other pages may be recognised as a whole"


def test_the_next_to_be_cross_checked_are_looked_at_and_after_the_last_the_first() -> None:
    known = {key: settled(managed=key % 2) for key in range(1001, 1011)} | {1011: None}
    never = datetime(2026, 11, 29, 12, tzinfo=UTC)  # whose turn of the day is no product's

    def due(checked_up_to: int, count: int) -> set[int]:
        catalogue = Catalogue.of(b"r", known, checked_up_to)
        return set(catalogue.due_again(never, MINUTES, count) - catalogue.due_again(never, MINUTES, 0))

    assert due(0, 2) == {1001, 1003}
    assert due(1003, 2) == {1005, 1007}
    assert due(1007, 3) == {1009, 1001, 1003}
    assert due(1009, 1) == {1001}
