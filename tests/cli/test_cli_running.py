"""The daemon as systemd runs it, and what a person sees when something unforeseen happens."""

import asyncio
import os
import signal
import sys

import pytest

from stocksync.cli.entry import end_of
from stocksync.errors import ConfigurationError, InvariantBroken, NotFound
from stocksync.simulator.server import API_KEY


async def test_the_daemon_drains_on_sigterm_and_ends_well(configured, tmp_path):
    configured('[accounts.poll]\ninterval = "2s"\n')
    with (tmp_path / "config.toml").open("a", encoding="utf-8") as file:
        file.write('[http]\nlisten = "127.0.0.1:0"\n')
    process = await asyncio.create_subprocess_exec(
        sys.executable, *("-m", "stocksync", "run"), cwd=tmp_path, env={**os.environ, "QOYOD_API_KEY": API_KEY},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    seen = b""
    async with asyncio.timeout(40):
        while b'"cycle' not in seen:
            seen += await process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        out, rest = await process.communicate()
    assert process.returncode == 0, rest.decode()
    assert out == b""
    assert API_KEY.encode() not in seen + rest


@pytest.mark.parametrize(
    ("error", "code", "parts"),
    [
        (ConfigurationError(["a: one", "b: two"]), 2, ["error: a: one\nerror: b: two\n"]),
        (NotFound("no such plan"), 4, ["error: no such plan\n"]),
        (InvariantBroken("counts"), 1, ["error: counts\n", "please", "--debug", "open an issue"]),
        (RuntimeError("boom\nbang"), 1, ["error: unexpected RuntimeError: boom bang\n", "open an issue"]),
    ],
)
def test_an_error_is_one_line_each_and_says_what_to_do(capsys, error, code, parts):
    assert end_of(error) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert all(part in told.err for part in parts), told.err
    assert "Traceback" not in told.err
