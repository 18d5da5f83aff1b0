"""A configuration that is read again while the accounts of the one before are still being made."""

from pathlib import Path
from typing import Any

import pytest

from stocksync.app import daemon, wiring
from stocksync.app.endpoint import serving
from stocksync.app.supervision import Reload
from stocksync.app.systemd import Systemd
from stocksync.config import Config, build


def _configured(folder: Path, state: Path, *names: str) -> Config:
    accounts = [
        {
            "name": name,
            "tenant": name,
            "base_url": "http://127.0.0.1:1/2.0",
            "auth": {"secret_env": "KEY"},
            "target": {"url": f"sqlite:///{folder}/{name}.db", "create_table": True},
        }
        for name in names
    ]
    data = {"state": {"url": f"sqlite:///{state}"}, "http": {"listen": "127.0.0.1:0"}, "accounts": accounts}
    return build(data, {"KEY": "k"})


async def test_what_was_read_meanwhile_is_what_is_worked_for(
    tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = (_configured(tmp_path, migrated_sqlite, *names) for names in (("one", "two"), ("two", "three")))
    plans: Any = wiring.Plan.all_of

    def read_meanwhile(config: Config) -> Any:
        endpoint.watch(after)  # as `Reload` does, as long as nothing is at work
        reload.config = after
        return plans(config)

    monkeypatch.setattr(wiring.Plan, "all_of", read_meanwhile)
    async with serving(before) as endpoint:
        reload = Reload(before, endpoint, Systemd(), lambda _config: None)
        state = await endpoint.state.open_now()
        async with daemon._working(before, endpoint, state, reload) as running:
            assert set(running.loop.runners) == {"two", "three"}
