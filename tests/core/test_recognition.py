"""Products that need no second thought: what digests tell apart, and what is settled or looked at again."""

from dataclasses import replace
from decimal import Decimal

import making
import pytest
from making import NOW, product, remembered

from stocksync.core.desired_state import DesiredState
from stocksync.core.diff import ChangeSet
from stocksync.core.model import Cell, Change, SettledCounts, SettledProduct
from stocksync.core.recognition import gone_digest, needing_another_look, rebuilt, row_digest, rules_digest, settle


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


def test_a_recognised_product_is_as_its_row_showed_it() -> None:
    entry = making.known("SKU-7")
    cells = [remembered({3: 5, 4: "1.5"}), remembered({7: 0})]
    one = rebuilt(7, entry, cells, NOW)
    assert (one.id, one.sku, one.name, one.tracked, one.page, one.read_at) == (7, "SKU-7", "Widget", True, 1, NOW)
    assert one.stock == {3: Decimal(5), 4: Decimal("1.5"), 7: Decimal(0)}


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
        1: SettledProduct(b"one", SettledCounts(7, 0, 5, 2, tracked)),
        9: SettledProduct(gone_digest(9), SettledCounts(0, 0, 0, 1, False)),
    }
