"""Products that need no second thought: what is recognised, what is counted of them, and what is looked at again."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import making
import pytest
from making import NOW, product, reading, remembered

from stocksync.core.desired_state import DesiredState
from stocksync.core.diff import ChangeSet
from stocksync.core.model import Cell, Change, Product, Reading, SettledProduct
from stocksync.core.recognition import (
    Catalogue,
    Recognised,
    due_again,
    gone_digest,
    needing_another_look,
    rebuilt,
    row_digest,
    rules_digest,
    settle,
)

MINUTES = timedelta(minutes=15)


def settled(digest: bytes = b"d", **counts: Any) -> SettledProduct:
    return SettledProduct(
        digest, **{"unchanged": 2, "unmanaged": 0, "unmapped": 0, "managed": 2, "tracked": True} | counts
    )


def seen(*products: Product, recognised: Iterable[int] = ()) -> Reading:
    return replace(reading(*products), recognised=frozenset(recognised))


def test_every_rule_decides_the_digest_of_the_rules() -> None:
    digests = {rules_digest(*rules) for rules in (("a", 1), ("a", 2), ("a",), (("a", 1),), ("b", 1))}
    assert len(digests) == 5
    assert rules_digest("a", 1) == rules_digest("a", 1)
    assert {len(digest) for digest in digests} == {16}


def test_a_row_s_digest_is_its_bytes_and_a_gone_product_s_its_id() -> None:
    assert row_digest(b'{"id":1}') == row_digest(memoryview(b'{"id":1}'))
    assert len({row_digest(b"a"), row_digest(b"b"), gone_digest(1), gone_digest(2)}) == 4
    assert len(row_digest(b"a")) == 16


def test_a_row_s_digest_is_the_same_in_every_process_and_release() -> None:
    row = b'{"id":7,"sku":"BW-001","track_quantity":1,"inventories":[{"id":1,"stock":"120.0"}]}'
    assert row_digest(row).hex() == "08d7042adfc5b8f55cf1734228af9797"
    assert row_digest(b"").hex() == "99aa06d3014798d86001c324468d497f", "XXH3's own test vector"


def test_what_is_looked_at_again_is_not_recognised() -> None:
    known = {1: settled(b"one"), 2: settled(b"two"), 3: None}
    assert Catalogue(b"r", known).settled() == {b"one": 1, b"two": 2}
    assert Catalogue(b"r", known, again=frozenset({1})).settled() == {b"two": 2}


def test_in_focus_is_all_but_what_was_recognised_or_is_long_gone() -> None:
    known = {1: settled(), 2: settled(), 3: None, 4: settled(gone_digest(4)), 5: settled(), 6: settled(gone_digest(6))}
    catalogue = Catalogue(b"r", known, again=frozenset({5, 6}))
    assert catalogue.in_focus(seen(product(9), recognised={1, 5})) == {2, 3, 5, 6, 9}


def test_what_is_left_out_is_counted_and_of_rebuilt_products_the_unmapped_places_alone() -> None:
    known = {
        1: settled(unchanged=2, unmanaged=3, unmapped=5, managed=7),
        2: settled(unchanged=11, unmanaged=13, unmapped=17, managed=19, tracked=False),
        3: settled(unchanged=23, unmanaged=29, unmapped=31, managed=37),
        4: None,
    }
    counted = Catalogue(b"r", known).left_out(seen(recognised={1, 2, 3, 4}), {3, 4}, {3, 4})
    assert counted == Recognised(
        products=4, tracked=2, unchanged=2 + 11, unmanaged=3 + 13, unmapped=5 + 17 + 31, managed=7 + 19
    )


def test_a_recognised_product_is_as_its_row_showed_it() -> None:
    entry = making.known("SKU-7")
    cells = [remembered({3: 5, 4: "1.5"}), remembered({7: 0})]
    one = rebuilt(7, entry, cells, NOW)
    assert (one.id, one.sku, one.name, one.tracked, one.page, one.read_at) == (7, "SKU-7", "Widget", True, 1, NOW)
    assert one.stock == {3: Decimal(5), 4: Decimal("1.5"), 7: Decimal(0)}


def test_each_product_has_its_turn_once_a_day() -> None:
    catalogue = Catalogue(b"r", {key: settled(managed=0) for key in range(1, 301)})
    midnight = datetime(2026, 11, 29, tzinfo=UTC)
    turns = [due_again(catalogue, midnight + number * MINUTES, MINUTES, 3) for number in range(96)]
    assert sorted(one for turn in turns for one in turn) == [*range(1, 301)]
    assert max(map(len, turns)) <= 4
    assert due_again(catalogue, midnight, timedelta(days=3), 0) == frozenset(range(1, 301)), "a day is the least"


def test_the_next_to_be_cross_checked_are_looked_at_and_after_the_last_the_first() -> None:
    known = {key: settled(managed=key % 2) for key in range(1001, 1011)} | {1011: None}
    never = datetime(2026, 11, 29, 12, tzinfo=UTC)  # whose turn of the day is no product's

    def due(checked_up_to: int, count: int) -> set[int]:
        every = due_again(Catalogue(b"r", known, checked_up_to), never, MINUTES, count)
        return set(every) - set(due_again(Catalogue(b"r", known, checked_up_to), never, MINUTES, 0))

    assert due(0, 2) == {1001, 1003}
    assert due(1003, 2) == {1005, 1007}
    assert due(1007, 3) == {1009, 1001, 1003}
    assert due(1009, 1) == {1001}


def change(product_id: int) -> Change:
    return Change(product_id, "A", "S", None, Decimal(1), ())


def test_what_is_open_in_any_way_is_looked_at_again_and_what_went_in_is_not() -> None:
    desires, found = DesiredState(), ChangeSet()
    found.changes += [change(1), change(2)]
    found.negative += [change(3)]
    found.refused += [(change(4), "no SKU")]
    found.waiting += [Cell(5, "A")]
    found.skipped += [Cell(6, "A")]
    desires.unknown += [Cell(7, "A")]
    desires.orphaned += [Cell(8, "A")]
    desires.unmapped_held[9] = 1
    desires.outdated.add(10)
    desires.yielding.add(11)
    assert needing_another_look(desires, found, {Cell(2, "A"), Cell(3, "A")}) == {1, *range(4, 12)}


@pytest.mark.parametrize("tracked", [True, False])
def test_only_a_row_that_can_be_known_again_is_settled(tracked: bool) -> None:
    desires = DesiredState()
    desires.wanted[1] = 3
    desires.unchanged[1] = 4
    desires.unmapped[1] = 5
    shown = replace(product(1, {3: 5}, tracked=tracked), digest=b"one")
    empty = replace(product(2, {}), digest=b"two")
    found = settle([shown, empty, product(3, {3: 1})], [9], desires, {1: 2, 9: 1})
    assert found == {
        1: SettledProduct(b"one", 7, 0, 5, 2, tracked),
        9: SettledProduct(gone_digest(9), 0, 0, 0, 1, False),
    }
