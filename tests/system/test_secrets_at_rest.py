"""No token is shown by anything a real daemon says, at any log level, nor left for others in the state's files."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from system_shop import Shop, sql, until

CLIENT_SECRET = "client-secret-nobody-may-see"
OAUTH = {
    "scheme": "oauth2",
    "secret_env": "",
    "client_id": "sim-client",
    "client_secret_env": "CLIENT_SECRET",
}


def modes(folder: Path) -> dict[str, str]:
    return {file.name: f"{file.stat().st_mode & 0o777:o}" for file in folder.iterdir() if "state.db" in file.name}


async def oauth_shop(open_shop: Callable[..., Any]) -> Shop:
    shop: Shop = await open_shop(settings={"auth": OAUTH}, migrated=False)
    shop.simulator.credentials.client_secret = CLIENT_SECRET
    shop.settings["auth"]["token_url"] = f"{shop.simulator.root}/oauth/token"
    shop.more_environ["CLIENT_SECRET"] = CLIENT_SECRET
    shop.more_environ["STOCKSYNC_LOG__LEVEL"] = "debug"
    shop.write_config()
    return shop


async def test_at_level_debug_no_token_stands_in_the_log_and_the_state_is_the_owners_alone(
    open_shop: Callable[..., Any],
) -> None:
    shop = await oauth_shop(open_shop)
    daemon = await shop.run()
    await until(shop.equal_if_made, "the first cycle")
    shop.simulator.credentials.expire()
    shop.set(1, 1, 5)
    await daemon.says("token_renewed", since=len(daemon.lines))
    await until(shop.equal, "the second token is used")
    told = daemon.raw + (await daemon.get("/"))[1] + (await daemon.get("/api/status"))[1]
    stored = [row[0] for row in await sql(shop.state, "SELECT token FROM stocksync_credentials")]
    assert await daemon.end(signal.SIGTERM) == 0
    told += daemon.raw
    issued = shop.simulator.credentials.issued
    assert issued >= 2
    assert stored == [f"refresh-{issued}"]
    for secret in (CLIENT_SECRET, *(f"{kind}-{n}" for kind in ("refresh", "access") for n in range(1, issued + 1))):
        assert secret not in told
    assert '"level": "debug"' in told
    assert set(modes(shop.folder).values()) == {"600"}
