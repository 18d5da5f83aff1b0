"""A database that answers nothing ends a batch, a cycle or an audit in time, and no more than that."""

import asyncio
from typing import Any

import pytest
from scenario_shop import Shop

from stocksync.core.report import Outcome
from stocksync.run import finishing
from stocksync.run.cycle import Cycle
from stocksync.run.leases import lead


async def _never(*_args: Any, **_kwargs: Any) -> Any:
    await asyncio.Event().wait()


async def test_a_batch_that_hangs_is_given_up_when_the_cycle_is_stopped_and_written_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "_LAST_CHANCE", 0.05)
    await shop.cycle()
    shop.catalogue.stock_take(1, 1, 5)
    hanging = asyncio.Event()

    async def hang(*_args: Any, **_kwargs: Any) -> Any:
        hanging.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(shop.account.target, "write", hang)
        async with lead(shop.account, shop.runtime.owner) as lease:
            running = asyncio.create_task(Cycle(shop.account, lease).run())
            await hanging.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(running, 5)
    intents = [
        one.intent for one in (await shop.runtime.state.snapshot("main")).cells.values() if one.intent is not None
    ]
    assert len(intents) == 1, "whether it was written nobody knows"
    await shop.cycle()
    assert await shop.rows() == shop.truth()


async def test_a_cycle_whose_target_hangs_ends_at_its_deadline(open_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finishing, "_LAST_CHANCE", 0.05)
    shop = await open_shop(poll={"deadline": "1s"})
    with monkeypatch.context() as patched:
        patched.setattr(shop.account.target, "write", _never)
        report = await asyncio.wait_for(shop.cycle(), 5)
    assert report.outcome is Outcome.DEADLINE
    assert not shop.account.writing.locked()


@pytest.mark.parametrize("call", ["read", "inspect"])
async def test_an_audit_whose_target_hangs_ends_at_the_deadline(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    shop = await open_shop(poll={"deadline": "1s"})
    await shop.cycle()
    shop.account.forget_capabilities()
    with monkeypatch.context() as patched:
        patched.setattr(shop.account.target, call, _never)
        report = await asyncio.wait_for(shop.audit(heal=True), 5)
    assert report.error == "not done within poll.deadline of 1 s"
    assert report.ended_at is not None
    assert not shop.account.writing.locked()
    assert (await shop.audit()).error == ""
