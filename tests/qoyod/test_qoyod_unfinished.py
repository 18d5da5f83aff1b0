"""Readings that there is not time for: what was read counts, and the next one goes on; in virtual time."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qoyod_catalogue import Catalogue, row, source_over
from virtual_time import LoopClock, virtually

from stocksync.core.model import Reading, Verdict
from stocksync.qoyod.budget import Budget
from stocksync.qoyod.transport import TransportFault


def shelf(pages: int, seconds: float) -> Catalogue:
    """Make a catalogue of so many pages of 3, each of which takes so long."""
    catalogue = Catalogue([row(number) for number in range(1, 3 * pages + 1)])
    catalogue.delay = lambda: seconds / 2
    return catalogue


def readings(catalogue: Catalogue, count: int, within: float, **settings: Any) -> list[Reading]:
    """Read so often, each time from where the last one stopped, and see that each keeps to its time."""
    made: list[Reading] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            # Each by a process of its own, which knows nothing but what the last one left.
            source = source_over(catalogue, per_page=3, **settings)
            until = loop.time() + within
            made.append(await source.read(until=until, first=made[-1].unread if made else ()))
            assert loop.time() <= until + 0.001

    virtually(work)
    return made


def test_a_reading_stops_in_time_with_what_it_has() -> None:
    (reading,) = readings(shelf(pages=20, seconds=10), 1, within=51, concurrency=2)
    assert reading.verdict is Verdict.PARTIAL
    assert reading.pages == 1 + 2 * 4
    assert len(reading.products) == 3 * 9
    assert reading.total == 60
    assert reading.unread == ((2, 6), (11, 16))
    assert reading.reasons == ("pages 2, 3, 4, 5, 6 and 6 more: not read in time; the next reading goes on there",)


def test_one_that_is_in_time_is_complete_and_leaves_nothing() -> None:
    first, second = readings(shelf(pages=9, seconds=10), 2, within=150, concurrency=1)
    for reading in (first, second):
        assert (reading.verdict, reading.unread) == (Verdict.COMPLETE, ())


@pytest.mark.parametrize("concurrency", [1, 3])
def test_the_reading_after_one_that_stopped_can_be_complete(concurrency: int) -> None:
    catalogue = shelf(pages=12, seconds=10)
    first, *_ = readings(catalogue, 1, within=40, concurrency=concurrency)
    catalogue.delay = lambda: 0.1

    async def work() -> None:
        second = await source_over(catalogue, per_page=3, concurrency=concurrency).read(until=1e6, first=first.unread)
        assert (second.verdict, second.unread, len(second.products)) == (Verdict.COMPLETE, (), 36)

    virtually(work)


@settings(max_examples=60, deadline=None)
@given(pages=st.integers(2, 40), concurrency=st.integers(1, 5), each=st.integers(1, 12))
def test_every_page_has_its_turn_however_few_one_reading_has_time_for(pages: int, concurrency: int, each: int) -> None:
    catalogue = shelf(pages, seconds=10)
    made = readings(catalogue, -(-pages // each), within=10 * each + 1, concurrency=concurrency)
    seen = {product for reading in made for product in reading.products}
    assert seen == set(catalogue.rows)


def test_a_page_that_waits_for_the_request_budget_is_given_up_in_time() -> None:
    catalogue = shelf(pages=5, seconds=0)

    async def work() -> None:
        budget = Budget(2, LoopClock())
        reading = await source_over(catalogue, per_page=3, budget=budget).read(until=100)
        assert asyncio.get_running_loop().time() == 100
        assert reading.verdict is Verdict.PARTIAL
        assert 1 < reading.pages < 5
        assert reading.unread

    virtually(work)


def test_a_page_that_fails_is_not_one_that_there_was_no_time_for() -> None:
    catalogue = shelf(pages=9, seconds=10)
    catalogue.faults.append(lambda asked: TransportFault("reset", "gone") if asked.get("page") == "9" else None)
    (reading,) = readings(catalogue, 1, within=80, concurrency=1, attempts=1)
    assert reading.unread == ((2, 2),)
    assert reading.reasons == ("page 2: not read in time; the next reading goes on there", "page 9: gone")


def test_pages_that_are_no_longer_there_are_not_waited_for() -> None:
    catalogue = shelf(pages=12, seconds=10)
    (first,) = readings(catalogue, 1, within=30, concurrency=1)
    for product in range(10, 37):
        del catalogue.rows[product]

    async def work() -> None:
        second = await source_over(catalogue, per_page=3).read(until=1e6, first=first.unread)
        assert (second.verdict, second.unread) == (Verdict.COMPLETE, ())

    virtually(work)
