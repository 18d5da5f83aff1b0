"""What has to be seen twice before it is believed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from stocksync.core.confirmation import times_of
from stocksync.core.model import SnapshotCell, SnapshotProduct
from stocksync.core.policy import LocationMap, Unmapped

READ = datetime(2026, 8, 31, 12, 0, tzinfo=UTC)
POLL = READ + timedelta(hours=2)
CELL = SnapshotCell(((3, Decimal(4)),), READ, Decimal(4), None, "A", None)
PRODUCT = SnapshotProduct("A", "Blue", tracked=True, page=1, missing=0, gone_at=None)


@pytest.mark.parametrize(
    ("cell", "product", "readable", "confirmed"),
    [
        (CELL, PRODUCT, True, POLL),
        (CELL, PRODUCT, False, READ),
        (CELL, PRODUCT._replace(missing=1), True, READ),
        (CELL, PRODUCT._replace(gone_at=POLL), True, READ),
        (CELL, PRODUCT._replace(tracked=False), True, READ),
        (CELL, None, True, READ),
        (CELL._replace(unknown_since=POLL), PRODUCT, True, READ),
        (CELL._replace(parts=()), PRODUCT, True, None),
    ],
)
def test_the_last_complete_poll_confirms_what_it_saw_and_nothing_else(cell, product, readable, confirmed):
    times = times_of(cell, product, POLL, readable=readable)
    assert times.confirmed_at == confirmed
    assert times.changed_at == (READ if cell.parts else None)


def test_a_figure_that_a_look_up_changed_after_the_last_poll_is_as_fresh_as_the_look_up():
    assert times_of(CELL, PRODUCT, READ - timedelta(hours=1), readable=True) == (READ, READ)
    assert times_of(CELL, PRODUCT, None, readable=True) == (READ, READ)


def test_a_place_bears_the_names_of_all_locations_that_feed_it():
    names = {1: "Main", 3: "Riyadh", 5: "Jeddah", 7: ""}
    assert LocationMap().names(names) == {"1": "Main", "3": "Riyadh", "5": "Jeddah"}
    mapped = LocationMap({1: "SHOP", 5: "SHOP", 3: "OUTLET"}, Unmapped.IGNORE)
    assert mapped.names(names) == {"SHOP": "Main + Jeddah", "OUTLET": "Riyadh"}
