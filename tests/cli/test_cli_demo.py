"""The demo ends by itself with a comparison, or on Ctrl-C without complaint."""

import asyncio
import os
import signal
import socket
import sqlite3
import sys
from contextlib import closing, suppress
from decimal import Decimal

import pytest

from stocksync.cli.demonstration import differences, prepare
from stocksync.errors import StateInUse
from stocksync.state.lockfile import LockFile

TRUTH = {(1, 3): Decimal("1.5"), (2, 3): Decimal(-4)}


async def test_the_demo_ends_by_itself_and_the_target_equals_qoyod(command, tmp_path):
    ended = await command("demo", "--seconds", "3", "--products", "150", "--trade", "20")
    assert ended.code == 0, ended.out + ended.err
    assert "✓ the target equals Qoyod in all" in ended.out
    assert (tmp_path / ".demo" / "target.db").exists()
    looked = await command("status", "--config", ".demo/config.toml")
    assert "demo" in looked.out


async def test_the_demo_ends_cleanly_on_an_interrupt(tmp_path):
    arguments = ("-m", "stocksync", "demo", "--products", "100")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=tmp_path, env=dict(os.environ), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(40):
        while b"insert" not in (line := await process.stdout.readline()):
            assert line, "the demo ended before its first cycle"
        process.send_signal(signal.SIGINT)
        rest = await process.stdout.read()
    assert await process.wait() == 0
    assert "changes written" in rest.decode()
    assert "next: stocksync init" in rest.decode()


async def test_the_demo_finds_itself_another_port_where_its_own_is_taken(command):
    # Not only where it is taken before it starts: two demos that start at the same moment both find the port free.
    with socket.socket() as other:
        with suppress(OSError):
            other.bind(("127.0.0.1", 9464))
            other.listen()
        ended = await command("demo", "--seconds", "2", "--products", "20", "--trade", "0")
    assert ended.code == 0, ended.out + ended.err
    assert "http://127.0.0.1:" in ended.out
    assert "http://127.0.0.1:9464" not in ended.out


def test_a_second_demo_in_the_same_directory_leaves_the_first_ones_files_alone(tmp_path):
    prepare(tmp_path, "http://127.0.0.1:1/2.0", "key", 0)
    (tmp_path / "state.db").write_bytes(b"of the first")
    first = LockFile(tmp_path / "state.db.lock")
    first.acquire()
    with pytest.raises(StateInUse):
        prepare(tmp_path, "http://127.0.0.1:1/2.0", "key", 0)
    assert (tmp_path / "state.db").read_bytes() == b"of the first"
    first.release()


async def test_every_kind_of_difference_is_found(tmp_path):
    config = prepare(tmp_path, "http://127.0.0.1:1/2.0", "key", 0)
    with closing(sqlite3.connect(tmp_path / "target.db")) as target, target:
        target.execute("CREATE TABLE stock_levels (product_id, location_id, quantity)")
        target.executemany("INSERT INTO stock_levels VALUES (?, ?, ?)", [(1, "3", 1.5), (2, "3", -4)])
    assert differences(config, TRUTH) == []
    with closing(sqlite3.connect(tmp_path / "target.db")) as target, target:
        target.execute("UPDATE stock_levels SET quantity = NULL WHERE product_id = 1")
        target.execute("DELETE FROM stock_levels WHERE product_id = 2")
        target.execute("INSERT INTO stock_levels VALUES (9, '3', 0)")
    assert differences(config, TRUTH) == [
        "product 1 @ 3: Qoyod 1.5, target no figure",
        "product 2 @ 3: Qoyod -4, target no figure",
        "product 9 @ 3: Qoyod no figure, target 0",
    ]
