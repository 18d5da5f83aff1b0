"""A reading that cannot end within poll.deadline: what was read is written, and the next one goes on."""

from functools import partial
from typing import Any

import pytest

from stocksync.app import wiring
from stocksync.app.checking import check
from stocksync.core.model import Verdict
from stocksync.core.report import Outcome
from stocksync.qoyod.settings import SourceSettings

DEADLINE = {"deadline": "3s", "interval": "3s", "jitter": "0s", "cross_check": 0}


@pytest.fixture(autouse=True)
def patient(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests may take longer than the whole cycle."""
    monkeypatch.setattr(wiring, "SourceSettings", partial(SourceSettings, request_timeout=60.0, read_timeout=60.0))


def of_pages(shop: Any, first: int, last: int) -> set[tuple[int, str]]:
    return {(item, place) for item, place in shop.truth() if 5 * first - 4 <= item <= 5 * last}


async def test_what_was_read_is_written_and_the_next_process_goes_on_with_the_rest(open_shop: Any) -> None:
    shop = await open_shop(40, poll=DEADLINE)
    shop.simulator.faults.add(*(f"page-{page}=timeout" for page in range(2, 6)))
    first = await shop.cycle()
    assert (first.outcome, first.verdict) == (Outcome.DONE, Verdict.PARTIAL)
    assert "not read in time; the next reading goes on there" in first.reasons[0]
    assert first.unread
    assert set(await shop.rows()) == of_pages(shop, 1, 1) | of_pages(shop, 6, 8)
    shop.simulator.faults.clear()
    shop.simulator.faults.add(*(f"page-{page}=timeout" for page in range(6, 9)))
    await shop.restart()
    second = await shop.cycle()
    assert (second.outcome, second.verdict) == (Outcome.DONE, Verdict.PARTIAL), "new to us, but of our own catalogue"
    assert await shop.rows() == shop.truth()


async def test_a_part_of_another_tenants_catalogue_is_not_taken_for_ours(open_shop: Any) -> None:
    shop = await open_shop(40, poll=DEADLINE)
    await shop.cycle()
    before = await shop.rows()
    for number in range(1, 41):
        shop.catalogue.delete(number)
    for number in range(100, 140):
        shop.catalogue.create(f"Q-{number}", "strange", stock={1: number, 3: number})
    shop.simulator.faults.add("page-2=timeout", "page-3=timeout")
    report = await shop.cycle()
    assert (report.outcome, report.verdict) == (Outcome.HELD, Verdict.PARTIAL)
    assert await shop.rows() == before


@pytest.mark.parametrize(
    ("poll", "said"),
    [
        (
            {"deadline": "1m", "interval": "2m"},
            "poll.deadline leaves 45 s: each poll reads a part, and none is complete",
        ),
        ({"deadline": "1m", "interval": "30s", "requests_per_minute": 11}, "poll.interval = 30 s cannot be kept"),
        ({"deadline": "10m", "interval": "15m"}, ""),
    ],
)
async def test_check_says_that_interval_budget_and_catalogue_do_not_fit(
    open_shop: Any, poll: dict[str, Any], said: str
) -> None:
    shop = await open_shop(40, poll={"requests_per_minute": 5, **poll})
    told = [one.what async for one in check(shop.config) if one.part == "main: poll"]
    assert len(told) == bool(said)
    assert said in "".join(told)
