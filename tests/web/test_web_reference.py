"""docs/http.md says what is answered: it is made from the records, and real answers are held against it."""

import json
from pathlib import Path

import pytest
from documented import ONLY_THERE, held_against

from stocksync.core.answers import Health, StockAnswer, Waiting
from stocksync.core.status import AccountStatus
from stocksync.web.reference import RECORDS, keys_of

PAGE = Path(__file__).parents[2] / "docs/http.md"


async def test_what_is_answered_is_what_the_page_says(ex):
    status = ex.status(
        held=ex.plan(3), quarantine=(ex.quarantined("too long"),), quarantined=1, audit=ex.audit(), cycles=(ex.cycle(),)
    )
    async with ex.opened(status) as site:
        told = json.loads(await (await site.get("/api/status")).text())
        assert set(told) == {"at", "version", "well", "accounts"}
        held_against(told["accounts"], AccountStatus)
        assert set(told["accounts"][0]) | set(told["accounts"][0]["held"]) >= ONLY_THERE
        ready = json.loads(await (await site.get("/readyz")).text())
        assert set(ready) == {"well", "accounts"}
        held_against(ready["accounts"], Health)
        held_against(json.loads(await (await site.get("/api/stock?sku=BW-001")).text()), StockAnswer)
        assert set(json.loads(await (await site.get("/api/stock?sku=none")).text())) == {"error"}
        assert json.loads(await (await site.get("/livez")).text()) == {"well": True}


async def test_while_the_state_is_awaited_the_answer_says_so(ex):
    async with ex.opened() as site:
        site.web._waiting = lambda: Waiting("the state database", ex.NOW, "connection refused", ex.NOW)
        told = json.loads(await (await site.get("/livez")).text())
    assert set(told) == {"well", "waiting"}
    held_against(told["waiting"], Waiting)


async def test_every_path_that_answers_stands_on_the_page(site):
    told = PAGE.read_text(encoding="utf-8")
    for resource in site.web.application(None, None).router.resources():
        assert f"`{resource.canonical}" in told or f", `{resource.canonical}" in told, resource.canonical


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_says_what_it_is(record):
    assert (record.__doc__ or "").strip()
    assert keys_of(record)
