"""What a service manager hears of a daemon, and how a daemon follows its configuration."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import free_port
from system_shop import Daemon, Shop, merged, toml, until

from stocksync.app import ask_whether_it_turns
from stocksync.app.systemd import Systemd
from stocksync.config import HttpConfig


class Manager:
    """As much of systemd as a service talks to: the datagrams it was sent, oldest first."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(address)
        self._heard: list[str] = []

    @property
    def heard(self) -> list[str]:
        while True:
            try:
                self._heard.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return self._heard


@contextmanager
def managed(address: str) -> Iterator[Manager]:
    manager = Manager(address)
    try:
        yield manager
    finally:
        manager.socket.close()


async def test_a_service_manager_hears_of_a_whole_life_and_a_faulty_file_changes_nothing(
    open_shop: Callable[..., Any],
) -> None:
    shop = await open_shop(http=f"127.0.0.1:{free_port()}")
    file = shop.folder / "config.toml"
    sound, gone = file.read_text(), shop.folder / "gone"
    unreadable = f"accounts.main.auth.secret_file: No such file or directory (got {gone}); put the secret there"
    with managed(str(shop.folder / "notify")) as manager:
        shop.more_environ = {"NOTIFY_SOCKET": str(shop.folder / "notify"), "WATCHDOG_USEC": "60000000"}
        daemon = await shop.run()
        await until(lambda: manager.heard.count("WATCHDOG=1") >= 2 and "READY=1" in manager.heard, "it is fed")
        assert await daemon.metric("config_last_reload_successful") == 1
        for text, words in (
            (sound.replace("interval", "intervall"), 'did you mean "interval"?'),
            (sound.replace("[[accounts]]", "[[accounts"), "is not valid TOML"),
            (sound.replace("QOYOD_API_KEY", "NO_SUCH_VARIABLE"), "is not set"),
            (sound.replace('secret_env = "QOYOD_API_KEY"', f'secret_file = "{gone}"'), unreadable),
        ):
            since = len(daemon.lines)
            file.write_text(text)
            daemon.send(signal.SIGHUP)
            refused = await daemon.says("reload_refused", since)
            assert words in " ".join(refused["problems"])
            assert "systemctl reload stocksync" in refused["todo"]
            assert await daemon.metric("config_last_reload_successful") == 0
        assert (await shop.command("healthcheck")).code == 0, "the file it cannot use is no reason to restart it"
        await daemon.says("cycle", since, outcome="done")
        file.write_text(sound.replace('listen = "127.0.0.1:', 'listen = "0.0.0.0:'))
        since = len(manager.heard)
        daemon.send(signal.SIGHUP)
        await daemon.says("reloaded", added=[], changed=[], removed=[])
        assert (await daemon.says("restart_needed"))["keys"] == ["http.listen"]
        await until(lambda: "READY=1" in manager.heard[since:], "the reload ends")
        (begun,) = (each for each in manager.heard[since:] if each.startswith("RELOADING=1\nMONOTONIC_USEC="))
        assert abs(int(begun.rpartition("=")[2]) / 1e6 - time.monotonic()) < 60
        assert await daemon.metric("config_last_reload_successful") == 1
        assert await daemon.end(signal.SIGTERM) == 0
        assert manager.heard.count("STOPPING=1") == 1
        assert [each for each in manager.heard if each.startswith("STATUS=") and "account" in each]
    well, words = await ask_whether_it_turns(HttpConfig(listen=shop.http))
    assert not well
    assert words == f"no daemon at http://{shop.http} (connection refused); does `stocksync run` listen there?"


def test_nobody_is_told_without_a_service_manager_and_a_deaf_one_stops_nothing(tmp_path: Path) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        Systemd(environ).ready()
    name = f"stocksync-test-{tmp_path.name}-{free_port()}"
    with managed(f"\0{name}") as manager:
        theirs = Systemd({"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"})
        theirs.feed()
        theirs.status("one\nline")
        theirs.status("one line")
        theirs.ready()
        theirs.ready()
        assert manager.heard == ["STATUS=one line", "READY=1"], "and the watchdog is that of another process"


def account(shop: Shop, name: str, **settings: Any) -> dict[str, Any]:
    """Describe an account with a target of its own."""
    target = {"url_env": "", "url": f"sqlite:///{shop.folder}/{name}.db"}
    return {"name": name, "tenant": name, "target": target, **settings}


async def series_of(daemon: Daemon, name: str) -> int:
    return (await daemon.get("/metrics"))[1].count(f'account="{name}"')


async def test_accounts_appear_change_and_vanish_without_disturbing_the_others(open_shop: Callable[..., Any]) -> None:
    shop = await open_shop()
    shop.also = [account(shop, "going"), account(shop, "changing")]
    shop.write_config()
    daemon = await shop.run()
    for name in ("main", "going", "changing"):
        await daemon.says("cycle", account=name, outcome="done")
    shop.also = [account(shop, "changing", policy={"buffer": 2})]
    shop.write_config()
    coming = merged(shop.account("coming", shop.simulator.url), account(shop, "coming"))
    (shop.folder / "accounts.d").mkdir()
    (shop.folder / "accounts.d" / "coming.toml").write_text(toml(coming))
    config = shop.folder / "config.toml"
    config.write_text(f'accounts_dir = "accounts.d"\n{config.read_text()}')
    since = len(daemon.lines)
    daemon.send(signal.SIGHUP)
    told = await daemon.says("reloaded")
    assert (told["added"], told["changed"], told["removed"]) == (["coming"], ["changing"], ["going"])
    await daemon.says("cycle", since, account="coming", outcome="done")
    changed = await daemon.says("cycle", since + 1, account="changing", outcome="done", applied=8)
    assert changed["read"] == 8
    assert await series_of(daemon, "going") == 0
    assert await series_of(daemon, "coming") > 0
    assert await daemon.metric("leader", account="coming") == 1
    assert [each["account"] for each in (await daemon.json("/api/status"))["accounts"]] == [
        "main",
        "changing",
        "coming",
    ]
    epochs = [line["epoch"] for line in daemon.said("became_writer", account="main")]
    assert len(epochs) == 1, "main's lease was never given back"
    (shop.folder / "accounts.d" / "coming.toml").write_text('[poll]\nintervall = "1s"')
    since = len(daemon.lines)
    daemon.send(signal.SIGHUP)
    refused = await daemon.says("account_file_refused", since)
    assert "accounts.d/coming.toml: accounts.coming.poll.intervall: no such key" in refused["problems"][0]
    assert (await daemon.says("reloaded", since))["removed"] == []
    assert await daemon.metric("config_last_reload_successful") == 0
    await daemon.says("cycle", since + 2, account="coming", outcome="done")
    assert await daemon.end(signal.SIGTERM) == 0


def test_the_unit_exposes_little() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    unit = Path(__file__).parents[2] / "deploy/systemd/stocksync.service"
    done = subprocess.run(
        [program, "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
