"""A daemon that starts: it answers before its state does, waits for what may come, and ends where no waiting helps."""

import asyncio
import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from servers import Server, free_port
from system_shop import Shop, sql, until

OPEN = ("/healthz", "/livez", "/metrics")


async def last_word(shop: Shop) -> tuple[int, dict[str, Any]]:
    """Start a daemon that ends by itself; gives its exit code and its last line."""
    daemon = await shop.run()
    code = await daemon.end()
    return code, json.loads(daemon.raw.splitlines()[-1])


async def test_http_answers_while_the_state_is_away_and_says_what_is_waited_for(
    open_shop: Callable[..., Any], postgresql_server: Server
) -> None:
    shop = await open_shop("postgresql", "sqlite")
    postgresql_server.stop()
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(20)
    manager.bind(str(shop.folder / "notify"))
    shop.more_environ = {"NOTIFY_SOCKET": str(shop.folder / "notify"), "WATCHDOG_USEC": "60000000"}
    daemon = await shop.run()
    await daemon.says("state_unavailable")
    with manager:
        told = {manager.recv(4096).decode() for _ in range(4)}
    assert {"READY=1", "WATCHDOG=1"} <= told, "an outage is no reason for systemd to restart it"
    assert [(await daemon.get(path))[0] for path in OPEN] == [200] * 3
    assert await daemon.metric("heartbeat_timestamp_seconds")
    for path in ("/readyz", "/api/status", "/", "/api/stock?sku=P-01", "/stock?sku=P-01"):
        status, body = await daemon.get(path)
        assert status == 503, path
        assert "waiting for the state database since 20" in body
        assert "Connect call failed" in body, "the words of whoever asked the database"
        assert "the next try is at" in body
    waiting = json.loads((await daemon.get("/readyz"))[1])["waiting"]
    assert set(waiting) == {"what", "since", "because", "next_try"}
    assert json.loads((await daemon.get("/healthz"))[1])["waiting"]["since"] == waiting["since"]

    def repeated() -> bool:
        return len(daemon.said("state_unavailable")) >= 2

    await until(repeated, "it says so again")
    first, second = daemon.said("state_unavailable")[:2]
    assert first["since"] == second["since"]
    assert daemon.lines.index(second) - daemon.lines.index(first) == 1, "and nothing else meanwhile"
    postgresql_server.start()
    assert (await daemon.says("state_opened"))["waited_seconds"] > 5
    await until(shop.equal_if_made, "the target equals Qoyod")
    assert "waiting" not in json.loads((await daemon.get("/healthz"))[1])
    assert await daemon.end(signal.SIGTERM) == 0


async def test_a_signal_ends_the_wait_at_once(open_shop: Callable[..., Any], postgresql_server: Server) -> None:
    shop = await open_shop("postgresql", "sqlite")
    postgresql_server.freeze()
    try:
        daemon = await shop.run()
        await daemon.says("serving")
        assert "the first try is under way" in (await daemon.get("/readyz"))[1]
        assert await daemon.end(signal.SIGTERM, within=10) == 0
    finally:
        postgresql_server.thaw()


async def test_one_that_stands_by_shows_the_accounts_and_says_for_whom_it_waits(open_shop: Callable[..., Any]) -> None:
    shop = await open_shop()
    leader = await shop.run()
    await until(shop.equal_if_made, "the first cycle")
    standby = await shop.run()
    await standby.says("standing_by")
    status, body = await standby.get("/")
    assert status == 200
    assert f"in use by process {leader.pid}" in body
    told = json.loads((await standby.get("/api/status"))[1])
    assert told["accounts"][0]["account"] == "main"
    assert told["waiting"]["what"] == "the process that holds the state"
    assert (await standby.get("/stock?sku=P-01"))[0] == 503
    assert await leader.end(signal.SIGTERM) == 0
    await standby.says("became_writer")
    assert await standby.end(signal.SIGTERM) == 0


async def test_a_port_in_use_ends_it_although_the_state_is_away(
    open_shop: Callable[..., Any], postgresql_server: Server
) -> None:
    port = free_port()
    shop = await open_shop("postgresql", "sqlite", http=f"127.0.0.1:{port}")
    postgresql_server.stop()
    holder = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    async with holder:
        code, line = await last_word(shop)
    assert code == 2
    assert f"http.listen: cannot listen on 127.0.0.1:{port}: address already in use; choose another" in line["error"]


async def test_what_no_waiting_mends_ends_it_with_all_there_is_to_do(
    open_shop: Callable[..., Any], tmp_path: Path
) -> None:
    shop = await open_shop()
    shop.state = f"sqlite:///{shop.folder}/nowhere/state.db"
    shop.target = "mysql://shop@127.0.0.1/shop"
    (tmp_path / "asyncmy.py").write_text("raise ModuleNotFoundError('No module named asyncmy', name='asyncmy')")
    shop.more_environ["PYTHONPATH"] = str(tmp_path)
    daemon = await shop.run()
    assert await daemon.end() == 2
    assert [line["error"] for line in daemon.said("failed", exit_code=2)] == [
        f"state.url: the folder {shop.folder}/nowhere does not exist: mkdir -p {shop.folder}/nowhere, or name another",
        "accounts.main.target.url: no driver for mysql; pip install 'stocksync[mysql]'",
    ]
    assert [json.loads(line)["event"] for line in daemon.raw.splitlines()] == ["starting", "failed", "failed"]


async def test_a_file_that_is_no_database_and_a_schema_of_a_newer_version_end_it(open_shop: Callable[..., Any]) -> None:
    shop = await open_shop()
    await sql(shop.state, "UPDATE stocksync_schema SET version_num = '9999'")
    code, line = await last_word(shop)
    assert code == 2
    assert "made by a newer stocksync (schema 9999)" in line["error"]
    assert "migrate" not in line["error"]
    shop.state = f"sqlite:///{shop.folder / 'notes.db'}"
    (shop.folder / "notes.db").write_text("buy milk\n" * 1000)
    code, line = await last_word(shop)
    assert code == 2
    assert "is not a database" in line["error"]
