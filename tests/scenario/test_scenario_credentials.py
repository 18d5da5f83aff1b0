"""Keys that are wrong, revoked or rotated, and tokens that renew themselves."""

from pathlib import Path
from typing import Any

import pytest
from scenario_shop import API_KEY, Shop

from stocksync.core.report import Outcome

OAUTH = {"scheme": "oauth2", "client_id": "sim-client", "client_secret_env": "CLIENT_SECRET", "secret_env": ""}


@pytest.mark.parametrize("scheme", ["api_key", "authorization", "bearer"])
async def test_each_way_to_show_a_key_lets_us_in(open_shop: Any, scheme: str) -> None:
    shop = await open_shop(2, auth={"scheme": scheme})
    assert (await shop.cycle()).outcome is Outcome.DONE
    headers = shop.simulator.requests[0].headers
    assert ("api-key" in headers) == (scheme == "api_key")
    assert ("authorization" in headers) == (scheme != "api_key")


async def test_a_revoked_key_makes_the_account_unauthorized_once_and_it_recovers_by_itself(
    shop: Shop, logs: list[dict[str, Any]]
) -> None:
    await shop.cycle()
    before = await shop.rows()
    shop.catalogue.sale(1, 1, 1)
    shop.simulator.faults.add("auth=revoke")
    shop.simulator.requests.clear()
    for _ in range(3):
        report = await shop.cycle()
        assert report.outcome is Outcome.UNAUTHORIZED
    assert len(shop.simulator.requests) == 3, "one request a cycle: it does not hammer"
    assert await shop.rows() == before
    shop.simulator.faults.clear()
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()
    told = [line["event"] for line in logs if line["event"] in {"unauthorized", "authorized_again"}]
    assert told == ["unauthorized", "authorized_again"]


async def test_a_key_that_is_revoked_while_pages_are_read_writes_nothing_false(open_shop: Any) -> None:
    shop = await open_shop(20)
    await shop.cycle()
    before = await shop.rows()
    shop.catalogue.sale(1, 1, 1)
    shop.simulator.faults.add("page-3=401")
    report = await shop.cycle()
    assert report.outcome is Outcome.UNAUTHORIZED
    assert await shop.rows() == before
    shop.simulator.faults.clear()
    await shop.cycle()
    assert await shop.rows() == shop.truth()


async def test_a_rotated_secret_file_is_read_again_without_a_restart(open_shop: Any, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(API_KEY)
    shop = await open_shop(auth={"secret_env": "", "secret_file": str(secret)})
    await shop.cycle()
    shop.simulator.faults.add("auth=rotate:the-new-key")
    shop.catalogue.sale(1, 1, 1)
    assert (await shop.cycle()).outcome is Outcome.UNAUTHORIZED
    secret.write_text("the-new-key\n")
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()


async def test_a_secret_file_that_vanishes_does_no_harm_while_the_key_works(open_shop: Any, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(API_KEY)
    shop = await open_shop(auth={"secret_env": "", "secret_file": str(secret)})
    await shop.cycle()
    secret.unlink()
    shop.catalogue.sale(1, 1, 1)
    assert (await shop.cycle()).outcome is Outcome.DONE
    shop.simulator.faults.add("auth=revoke")
    assert (await shop.cycle()).outcome is Outcome.UNAUTHORIZED
    shop.simulator.faults.clear()
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()


async def _oauth(open_shop: Any, **simulator: Any) -> Shop:
    shop: Shop = await open_shop(12, simulator=simulator, environ={"CLIENT_SECRET": "sim-secret"})
    await shop.close()
    auth = {**OAUTH, "token_url": shop.simulator.token_url}
    shop.data["accounts"][0] = {**shop.data["accounts"][0], "auth": auth}
    await shop.enter()
    shop.simulator.requests.clear()
    return shop


def _tokens(shop: Shop) -> list[int]:
    return [entry.status for entry in shop.simulator.requests if entry.path == "/oauth/token"]


async def test_a_rotating_refresh_token_survives_a_restart(open_shop: Any) -> None:
    shop = await _oauth(open_shop)
    assert (await shop.cycle()).outcome is Outcome.DONE
    for number in range(2, 5):
        await shop.restart()
        shop.catalogue.sale(1, 1, 1)
        assert (await shop.cycle()).outcome is Outcome.DONE
        assert await shop.runtime.state.load("main") == f"refresh-{number}"
    assert _tokens(shop) == [200, 200, 200, 200], "no refresh token was shown twice"
    assert await shop.rows() == shop.truth()


async def test_an_access_token_that_dies_early_is_renewed_once_for_all_pages(open_shop: Any) -> None:
    shop = await _oauth(open_shop)
    await shop.cycle()
    shop.simulator.requests.clear()
    shop.simulator.faults.add("auth=expire")
    shop.catalogue.sale(1, 1, 1)
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert _tokens(shop) == [200]
    assert await shop.rows() == shop.truth()


async def test_a_refresh_token_that_is_forgotten_is_replaced_by_the_client_s_own_grant(open_shop: Any) -> None:
    shop = await _oauth(open_shop)
    await shop.cycle()
    shop.simulator.requests.clear()
    shop.simulator.faults.add("auth=expire", "auth=forget-refresh")
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert _tokens(shop) == [400, 200]


async def test_a_token_endpoint_that_is_down_fails_the_cycle_and_writes_nothing(open_shop: Any, later: Any) -> None:
    shop = await _oauth(open_shop)
    shop.simulator.faults.add("token=503")
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert "/oauth/token" in report.error
    assert len(_tokens(shop)) <= 3
    shop.simulator.faults.clear()
    await shop.restart()
    assert (await shop.cycle()).outcome is Outcome.DONE


async def test_a_wrong_client_secret_is_named(open_shop: Any) -> None:
    shop = await _oauth(open_shop)
    shop.environ["CLIENT_SECRET"] = "wrong"
    await shop.restart()
    report = await shop.cycle()
    assert report.outcome is Outcome.UNAUTHORIZED
    assert "client_id" in report.error
    assert "wrong" not in report.error
