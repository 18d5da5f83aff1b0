"""The fleet under attack: a short form for CI, and the long one of the soak."""

import os

import pytest
from fleet_chaos import Attack, Chaos, own_simulators
from fleet_shop import FleetShop
from servers import Server

pytestmark = pytest.mark.xdist_group("fleet")

PER_MINUTE = 60


async def attacked(
    shop: FleetShop, server: Server, attack: Attack, accounts: int, interval: float
) -> dict[str, object]:
    names = [f"a{number:04}" for number in range(accounts)]
    shop.configure([])
    shop.own_targets()
    own = await own_simulators(3)
    try:
        for index, name in enumerate(names):
            alone = {"base_url": own[index].url} if index < len(own) else {}
            poll = {"interval": f"{interval:g}s", "requests_per_minute": PER_MINUTE}
            shop.add(name, poll=poll, **alone)
        ended = await shop.command("fleet", "apply", "--json")
        assert ended.code == 0, ended.err
        figures = await Chaos(shop, names, attack, server, own=own).run()
    finally:
        for simulator in own:
            await simulator.stop()
    print(figures)  # noqa: T201  what the soak shows
    assert 0 < figures["worst minute"] <= PER_MINUTE  # type: ignore[operator]
    return figures


@pytest.mark.timeout(600)
async def test_nothing_is_lost_and_nothing_old_is_written_under_attack(
    fleet_shop: FleetShop, postgresql_server: Server
) -> None:
    attack = Attack(seconds=35, interval=8, kills=3, sleeps=(5.0, 14.0), workers=2, stop_temporal=3.0)
    await attacked(fleet_shop, postgresql_server, attack, accounts=20, interval=8)


@pytest.mark.soak
async def test_a_thousand_accounts_under_attack(fleet_shop: FleetShop, postgresql_server: Server) -> None:
    """Attack for five minutes, both outages early, and watch for two intervals more.

    Two cores that hold everything make some seven polls a second: a thousand accounts at 240 s are four.
    """
    environ = os.environ.get
    accounts = int(environ("STOCKSYNC_CHAOS_ACCOUNTS", "1000"))
    interval = float(environ("STOCKSYNC_CHAOS_INTERVAL", "240"))
    seconds = float(environ("STOCKSYNC_CHAOS_SECONDS", "300"))
    attack = Attack(
        seconds, interval, kills=20, sleeps=tuple(5.0 + 35.0 * number / 9 for number in range(10)), workers=3,
        stop_temporal=10.0, stop_postgresql=5.0, outages_at=(0.1, 0.2), watch_on=2 * interval,
    )  # fmt: skip
    figures = await attacked(fleet_shop, postgresql_server, attack, accounts, interval)
    assert int(str(figures["gaps judged"])) >= accounts
    assert float(str(figures["gap p99"])) <= interval + 15
    assert float(str(figures["gap max"])) <= interval + 30
