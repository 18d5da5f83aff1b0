"""`/api/changes`: the ledger for those downstream."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from stocksync.core.model import Change
from stocksync.core.policy import LocationMap
from stocksync.errors import CursorLost, StateUnavailable
from stocksync.ports import LedgerRow

AT = datetime(2026, 11, 20, tzinfo=UTC)


def row(number):
    return LedgerRow(AT, "c1", 1, Change(11, "3", "A", Decimal(1), Decimal(2), ()), id=number)


async def told(site, query=""):
    answer = await site.get(f"/api/changes{query}")
    return answer.status, json.loads(await answer.text())


async def test_changes_come_with_the_next_cursor(ex):
    async with ex.opened(watched=(replace(ex.MAIN, places=LocationMap()),)) as site:
        site.ledger.places = {3: "Riyadh Outlet"}
        site.ledger.rows = [row(number) for number in (4, 5, 9)]
        status, document = await told(site, "?account=main&after=4&limit=1")
        at_its_end = await told(site, "?after=9")
        site.ledger.places = StateUnavailable("it went away")
        nameless, _ = await told(site, "?after=5")
    assert (status, document["account"], document["next"]) == (200, "main", 5)
    told_ = [(one["id"], one["change"]["after"], one["location"]) for one in document["changes"]]
    assert told_ == [(5, "2", "Riyadh Outlet")]
    assert nameless == 503, "who asks again misses no name"
    assert at_its_end == (200, {"account": "main", "changes": [], "next": 9})


async def test_who_waits_is_answered_when_a_change_comes(site):
    waiting = asyncio.create_task(told(site, "?wait=30"))
    await site.ledger.asked.wait()
    site.ledger.rows = [row(1)]
    status, document = await waiting
    assert (status, document["next"]) == (200, 1)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?account=nope", "there are main"),
        ("?after=-1", "after: a whole number"),
        ("?limit=0", "limit: 1 to 1000"),
        ("?limit=1001", "limit: 1 to 1000"),
        ("?cursor=1", "unknown parameter 'cursor'"),
    ],
)
async def test_a_wrong_question_is_told_what_is_right(site, query, words):
    status, document = await told(site, query)
    assert status == 400
    assert words in document["error"]


@pytest.mark.parametrize(("error", "code"), [(CursorLost("gone"), 410), (StateUnavailable("away"), 503)])
async def test_a_lost_cursor_and_a_state_that_is_away_are_two_answers(site, error, code):
    site.ledger.error = error
    assert await told(site, "?after=7") == (code, {"error": str(error)})
