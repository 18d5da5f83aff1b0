"""A process that dies in the middle: the target converges, and the ledger tells no lie."""

from typing import Any

import pytest
from leasing import claim
from scenario_shop import Died, Shop, die_after_commit, die_before_write

from stocksync.core.report import Outcome

DATABASES = ["sqlite", "postgresql", "mariadb"]


async def _open(open_shop: Any, request: pytest.FixtureRequest, kind: str, *, shared: bool = False) -> Shop:
    from stocksync.state.migrate import migrate  # noqa: PLC0415

    sections: dict[str, Any] = {}
    if kind != "sqlite":
        url = request.getfixturevalue(f"{kind}_url")
        sections = {"target": {"url": url}, "state": url}
        if shared:
            await migrate(url)
        else:
            del sections["state"]
    return await open_shop(4, **sections)


async def _die(shop: Shop, how: Any) -> None:
    how(shop)
    with pytest.raises(Died):
        await shop.cycle()
    await shop.close()
    await shop.enter()
    await shop.expire_lease()


def _chain(rows: list[Any]) -> None:
    """Each ledger row starts from where the one before it ended, oldest first."""
    for before, after in zip(rows[1:], rows, strict=False):
        assert after.change.before == before.change.after


@pytest.mark.parametrize("kind", DATABASES)
async def test_a_source_that_flips_back_after_a_kill_between_commit_and_acknowledgement(
    open_shop: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    shop = await _open(open_shop, request, kind)
    shop.catalogue.stock_take(1, 1, 5)
    await shop.cycle()
    shop.catalogue.stock_take(1, 1, 73)
    await _die(shop, die_after_commit)
    assert (await shop.rows())[1, "1"] == "73", "the kill came after the commit"
    shop.catalogue.stock_take(1, 1, 5)
    report = await shop.cycle()
    assert report.outcome is Outcome.DONE
    assert (await shop.rows())[1, "1"] == "5"
    assert await shop.rows() == shop.truth()
    ledger = [row for row in await shop.ledger(1) if row.change.place == "1"]
    assert str(ledger[0].change) == "P-01 @ 1: 73 → 5"
    assert ledger[0].change.cause == "repeat"
    with shop.counting() as counted:
        await shop.cycle()
    assert counted.writes == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_kill_between_intent_and_write_writes_the_newest_figure_next_time(
    open_shop: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    shop = await _open(open_shop, request, kind)
    await shop.cycle()
    shop.catalogue.stock_take(1, 1, 73)
    await _die(shop, die_before_write)
    assert (await shop.rows())[1, "1"] == "11"
    assert (await shop.status()).oldest_unpushed is not None
    shop.catalogue.stock_take(1, 1, 74)
    await shop.cycle()
    assert (await shop.rows())[1, "1"] == "74"
    assert (await shop.status()).oldest_unpushed is None
    rows = [row for row in await shop.ledger(1) if row.change.place == "1"]
    assert [str(row.change) for row in rows] == ["P-01 @ 1: 11 → 74", "P-01 @ 1: nothing → 11"]


async def test_a_kill_in_the_very_first_cycle_is_met_by_the_second(open_shop: Any) -> None:
    shop = await open_shop(4)
    await _die(shop, die_after_commit)
    assert await shop.rows() == shop.truth()
    report = await shop.cycle()
    assert report.outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()
    assert (await shop.status()).oldest_unpushed is None


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_where_state_and_target_are_one_database_a_kill_undoes_the_batch_as_a_whole(
    open_shop: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    shop = await _open(open_shop, request, kind, shared=True)
    assert shop.account.shared
    await shop.cycle()
    shop.catalogue.stock_take(1, 1, 73)
    await _die(shop, die_after_commit)
    assert (await shop.rows())[1, "1"] == "11", "nothing was committed"
    shop.catalogue.stock_take(1, 1, 11)
    report = await shop.cycle()
    assert report.counts.applied == 0
    assert await shop.rows() == shop.truth()
    shop.catalogue.stock_take(1, 1, 12)
    await shop.cycle()
    rows = [row for row in await shop.ledger(1) if row.change.place == "1"]
    assert [str(row.change) for row in rows] == ["P-01 @ 1: 11 → 12", "P-01 @ 1: nothing → 11"]


async def test_state_and_target_in_one_sqlite_file_are_one_transaction_too(open_shop: Any) -> None:
    shop = await open_shop(4, state="sqlite:///{folder}/shop.db")
    assert shop.account.shared
    await shop.cycle()
    shop.catalogue.stock_take(1, 1, 73)
    await _die(shop, die_after_commit)
    assert (await shop.rows())[1, "1"] == "11"
    await shop.cycle()
    assert await shop.rows() == shop.truth()


async def test_the_ledger_tells_every_step_of_a_figure_over_crashes(open_shop: Any) -> None:
    shop = await open_shop(2)
    await shop.cycle()
    for figure, how in ((20, die_after_commit), (30, die_before_write), (40, die_after_commit)):
        shop.catalogue.stock_take(1, 1, figure)
        await _die(shop, how)
        await shop.cycle()
    rows = [row for row in await shop.ledger(1) if row.change.place == "1"]
    assert [str(row.change.after) for row in rows] == ["40", "30", "20", "11"]
    assert rows[-1].change.before is None
    assert all(row.change.parts == ((1, row.change.after),) for row in rows)


async def test_a_writer_whose_lease_another_has_taken_writes_nothing(shop: Shop) -> None:
    await shop.cycle()
    before = await shop.rows()
    state = shop.runtime.state
    read = shop.account.source.read

    async def slow_read(*args: Any, **kwargs: Any) -> Any:
        reading = await read(*args, **kwargs)
        await shop.expire_lease()
        from datetime import timedelta  # noqa: PLC0415

        assert await claim(state, "main", "another process", timedelta(seconds=60)) is not None
        return reading

    shop.account.source.read = slow_read  # type: ignore[method-assign]
    shop.catalogue.stock_take(1, 1, 500)
    report = await shop.cycle()
    assert report.outcome is Outcome.STOPPED
    assert report.counts.applied == 0
    assert await shop.rows() == before
