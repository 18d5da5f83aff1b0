"""What a daemon recovers from by itself, on the machine it runs on: its clock, its pipes, its files, its sockets."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from system_shop import COMMAND, Shop, holding, until

STEPPING = str(Path(__file__).with_name("stepping.py"))
SOON = 12.0
HOUR = 3600


async def test_a_clock_set_back_by_an_hour_silences_no_poll(open_shop: Callable[..., Any]) -> None:
    shop = await open_shop()
    clock = shop.folder / "clock"
    daemon = await shop.run(sys.executable, STEPPING, str(clock))
    await until(shop.equal_if_made, "the first poll")
    clock.write_text(str(-HOUR))
    mark = len(daemon.lines)
    shop.set(1, 1, 5)
    await until(shop.equal, "a change reaches the target", within=SOON)
    assert (await daemon.get("/healthz"))[0] == 200
    assert [line["event"] for line in daemon.lines[mark:]].count("scheduler_rebuilt") == 1
    assert await daemon.end(15) == 0


@asynccontextmanager
async def unread(shop: Shop) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run a daemon that writes to a pipe of one page; gives it with the end that could be read."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    shop.http = f"127.0.0.1:{free_port()}"
    shop.write_config()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "run", "--debug", cwd=shop.folder, env=shop.environ,
        stdin=asyncio.subprocess.DEVNULL, stdout=writer, stderr=writer,
    )  # fmt: skip
    os.close(writer)
    try:
        yield process, reader
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def status_of(shop: Shop, path: str = "/healthz") -> int:
    async with aiohttp.ClientSession() as session, session.get(f"http://{shop.http}{path}") as answer:
        return answer.status


async def test_a_daemon_whose_log_nobody_reads_polls_on_and_tells_all_at_its_end(
    open_shop: Callable[..., Any],
) -> None:
    shop = await open_shop()
    async with unread(shop) as (process, reader):
        await until(shop.equal_if_made, "the first poll")
        for figure in (5, 6, 7):
            shop.set(1, 1, figure)
            await until(shop.equal, "a change reaches the target", within=SOON)
        assert await status_of(shop) == 200
        process.terminate()
        with os.fdopen(reader, "rb") as log:
            lines = (await asyncio.to_thread(log.read)).decode().splitlines()
        assert await asyncio.wait_for(process.wait(), SOON) == 0
    assert len("".join(lines)) > 10_000
    assert [json.loads(line) for line in lines][-1]["event"] == "stopped", "nothing is lost at a normal end"


async def test_two_signals_end_a_daemon_whose_log_nobody_reads(open_shop: Callable[..., Any]) -> None:
    shop = await open_shop(settings={"poll": {"interval": "30s"}})
    await shop.command("once")
    await shop.expire_lease()
    shop.set(1, 1, 5)
    async with unread(shop) as (process, reader), holding(shop.target):
        await until(shop.intents, "a batch waits for the target")

        async def ended() -> bool:
            with suppress(ProcessLookupError):
                process.terminate()
            await asyncio.sleep(0.3)
            return process.returncode is not None

        await until(ended, "a second signal ends it", within=SOON)
        assert process.returncode == 128 + signal.SIGTERM
    os.close(reader)


async def test_more_connections_than_descriptors_stop_neither_health_nor_polls(open_shop: Callable[..., Any]) -> None:
    shop = await open_shop(http=f"127.0.0.1:{free_port()}")
    daemon = await shop.run("sh", "-c", 'ulimit -n 64; exec "$0" "$@"', *COMMAND)
    await daemon.says("serving")
    await until(shop.equal_if_made, "the first poll")
    host, port = shop.http.split(":")
    clients = []
    for number in range(200):
        client = socket.create_connection((host, int(port)), timeout=5)
        with suppress(ConnectionError):
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" if number % 2 else b"")
        clients.append(client)
        await asyncio.sleep(0)
    for path in ("/healthz", "/metrics"):
        assert await status_of(shop, path) == 200
    shop.set(1, 1, 5)
    await until(shop.equal, "a change reaches the target", within=SOON)
    for client in clients:
        client.close()
    assert await daemon.end(signal.SIGTERM) == 0
    assert len(daemon.said("http_connections_at_limit")) == 1
    assert "Traceback" not in daemon.raw
    assert "Too many open files" not in daemon.raw


async def test_a_state_removed_under_a_daemon_ends_its_writing_and_a_second_one_is_the_only_writer(
    open_shop: Callable[..., Any],
) -> None:
    shop = await open_shop()
    first = await shop.run()
    await until(shop.equal_if_made, "the first poll")
    for file in shop.folder.glob("state.db*"):
        file.unlink()
    mark = len(first.lines)
    failed = await first.says("account_failing", since=mark)
    assert "was removed or replaced while it was in use" in failed["error"]
    assert list(shop.folder.glob("state.db")) == [], "a running daemon makes no new one"
    second = await shop.run()
    await second.says("cycle", outcome="done")
    mark = len(first.lines)
    for figure in (5, 6):
        shop.set(1, 1, figure)
        await until(shop.equal, "the second one writes", within=SOON)
    assert not first.said("cycle", since=mark, outcome="done")
    assert (await first.get("/readyz"))[0] == 503
    for daemon in (second, first):
        assert await daemon.end(signal.SIGTERM) == 0
