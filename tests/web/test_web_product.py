"""The page of one product: two times, names beside ids, and what cannot be asked is not said to be missing."""

from dataclasses import replace
from decimal import Decimal

import pytest

from stocksync.core.answers import LocationStock
from stocksync.core.policy import LocationMap

MAIN = LocationStock("3", {3: "Riyadh Outlet"}, Decimal(4), Decimal(4), Decimal(4), Decimal(4), in_target=True)


@pytest.fixture
async def shown(ex):
    """Show a product with one place."""
    async with ex.opened() as site:

        async def show(place, language="en", **given):
            given = {"confirmed_at": ex.ago(seconds=10), "changed_at": ex.ago(minutes=7), **given}
            site.counter.answer = replace(ex.ANSWER, places=(place,), fresh=False, **given)
            return await (await site.get(f"/stock?sku=BW-001&lang={language}")).text()

        yield show


async def test_when_it_was_confirmed_and_when_it_changed_stand_apart(ex, shown):
    page = await shown(replace(MAIN, confirmed_at=ex.ago(seconds=10), changed_at=ex.ago(minutes=7)))
    assert "10 s ago; last changed 7 min ago" in page
    assert "\u0661\u0660 ث؛ تغيّر آخر مرة" in await shown(MAIN, "ar")
    assert '<td data-label="Confirmed">10 s ago</td><td data-label="Changed">7 min ago</td>' in page
    assert "Riyadh Outlet" in page
    assert "Qoyod has shown no figure of it" in await shown(MAIN, confirmed_at=None, changed_at=None)


@pytest.mark.parametrize(
    ("there", "word"), [(None, "the target cannot be asked"), (False, "not there"), (True, "no number")]
)
async def test_a_target_that_cannot_be_asked_is_not_said_to_lack_the_row(shown, there, word):
    assert f">{word}</span>" in await shown(replace(MAIN, target=None, in_target=there))


async def test_why_a_place_is_not_as_it_should_be_stands_beside_it(shown):
    assert "held by zeroed" in await shown(replace(MAIN, remark="held by zeroed: 20 of 60 cells"))


async def test_the_quarantine_names_products_and_places_as_people_know_them(ex):
    entry = replace(ex.quarantined("too long"), sku="OUD-1", place="3")
    watched = replace(ex.MAIN, places=LocationMap())
    status = ex.status(quarantine=(entry,), quarantined=1, locations={3: "Riyadh Outlet"})
    async with ex.opened(status, watched=(watched,)) as site:
        page = await (await site.get("/")).text()
        told = await (await site.get("/api/status")).json()
    assert "OUD-1" in page
    assert "Riyadh Outlet" in page
    assert told["accounts"][0]["quarantine"][0]["location"] == "Riyadh Outlet"
    assert told["accounts"][0]["places"] == {"3": "Riyadh Outlet"}


async def test_held_rows_name_product_and_location_as_people_know_them(ex):
    plan = ex.plan(2).named({1: "Blue Widget"})
    plan = replace(plan, changes=tuple(replace(one, change=replace(one.change, place="3")) for one in plan.changes))
    watched = replace(ex.MAIN, places=LocationMap())
    status = ex.status(held=plan, locations={3: "Riyadh <Outlet>"})
    async with ex.opened(status, watched=(watched,)) as site:
        page = await (await site.get("/")).text()
        told = (await (await site.get("/api/status")).json())["accounts"][0]["held"]["changes"]
    assert "Blue Widget" in page
    assert page.count("Riyadh &lt;Outlet&gt;") == 2
    assert [(row["name"], row["location"]) for row in told] == [
        ("Blue Widget", "Riyadh <Outlet>"), ("", "Riyadh <Outlet>")
    ]  # fmt: skip
