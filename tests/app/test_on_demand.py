"""Accounts that are made when they are asked for, and let go of again."""

import gc
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table

from stocksync.app import on_demand
from stocksync.app.on_demand import AccountsOnDemand
from stocksync.app.wiring import open_builder
from stocksync.config import build
from stocksync.core.model import RowLocator
from stocksync.state.database import open_state

ACCOUNTS, KEPT, COLLECTED = 24, 2, 5


@pytest.mark.parametrize("databases", [1, ACCOUNTS])
async def test_what_closed_accounts_were_made_of_is_given_back(
    tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch, databases: int
) -> None:
    monkeypatch.setattr(on_demand, "_COLLECTED", COLLECTED)
    accounts = [
        {
            "name": f"shop{number}",
            "tenant": f"tenant{number}",
            "auth": {"secret_env": "KEY"},
            "target": {
                "url": f"sqlite:///{tmp_path}/{number % databases}.db",
                "table": f"lent{number}",
                "create_table": True,
            },
        }
        for number in range(ACCOUNTS)
    ]
    config = build({"state": {"url": f"sqlite:///{migrated_sqlite}"}, "accounts": accounts}, {"KEY": "k"})
    state = await open_state(config.state.dsn(), config.state.keep_ledger)
    async with open_builder(lambda _event: None, state) as builder:
        lender = AccountsOnDemand(builder, KEPT)
        await lender.follow(config)
        gc.collect()
        gc.disable()  # else it may be Python's own doing
        try:
            for name in lender.names:
                async with lender.lend(name) as account:
                    await account.target.make()
                    await account.target.read([RowLocator(1, "A", "M")])
            assert len(_tables()) <= KEPT + COLLECTED
        finally:
            gc.enable()


def _tables() -> list[Any]:
    return [one for one in gc.get_objects() if isinstance(one, Table) and one.name.startswith("lent")]
