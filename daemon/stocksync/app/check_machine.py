"""`check`, the machine's part: the address that people and Prometheus look at, and files that hold secrets."""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp

from stocksync.app.daemon_client import url_here
from stocksync.app.notifying import senders_of
from stocksync.config import Config
from stocksync.core.answers import CheckResult, CheckState
from stocksync.web.access import is_loopback

_ASK_SECONDS = 2.0
_NAMED = 5
_LAST_PORT = 65_535
_WORLD = 0o007
_LISTENING = "0A"


def secret_results(config: Config) -> Iterator[CheckResult]:
    """Warn of files with a secret that anybody on the machine may read."""
    for secret in config.secrets():
        file = secret.location
        if file is None:
            continue
        with suppress(OSError):
            mode = file.stat().st_mode & 0o777
            if mode & _WORLD:
                what = f"{secret.key}: everybody on this machine may read {file} (mode {mode:04o})"
                # What Docker, Podman or Kubernetes mounts has its mode set elsewhere.
                handed_in = str(file).startswith(("/run/secrets/", "/var/run/secrets/"))
                mode_key = "give it mode: 0400 where the container's secrets are named"
                yield CheckResult("secrets", CheckState.WARNING, what, mode_key if handed_in else f"chmod 600 {file}")


async def http_result(config: Config) -> CheckResult:
    """Try to listen where the daemon will."""
    host, port = config.http.address
    address = config.http.listen
    try:
        _bind(host, port)
    except OSError as error:
        if (served := await _accounts_served(host, port)) is not None:
            # Who runs has the address already, and a demo in another window may.
            if not served or served & {one.name for one in config.accounts}:
                return CheckResult("http", CheckState.WELL, f"{address} is served by a stocksync that runs")
            what = f"{address} is served by a stocksync for other accounts: {', '.join(sorted(served)[:_NAMED])}"
            other = f": {address.rpartition(':')[0]}:{port + 1}" if port < _LAST_PORT else ""
            cure = f"end that one, or choose another http.listen{other}"
            return CheckResult("http", CheckState.WARNING, what, cure)
        holder = holder_of(port)
        what = f"cannot listen on {address}: {(error.strerror or str(error)).lower()}{holder}"
        return CheckResult("http", CheckState.FAILED, what, "end that process, or choose another http.listen")
    if not config.http.granted and not is_loopback(host):
        what = f"{address} can be reached from other machines and no token is set: the page and /api/ will be refused"
        return CheckResult(
            "http", CheckState.WARNING, what, "set http.token_env or [[http.tokens]], or listen on 127.0.0.1"
        )
    return CheckResult("http", CheckState.WELL, f"{address} is free")


async def notify_results(config: Config) -> list[CheckResult]:
    """Read whom to tell of changes, and send nothing; nothing to say where nobody is to be told."""
    count = len(await senders_of(config))
    what = f"{count} address{'' if count == 1 else 'es'} understood; nothing was sent"
    return [CheckResult("notify", CheckState.WELL, what)] if count else []


def holder_of(port: int) -> str:
    """Name the process that listens on a port, where the system tells."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (Path("/proc/net") / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                return f" by process {process.name} ({(process / 'comm').read_text().strip()})"
    return ""


def _bind(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        # As the daemon does it: a port of connections that are only being forgotten is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)


async def _accounts_served(host: str, port: int) -> set[str] | None:
    """Ask who listens for the accounts whose metrics it serves; None where that is no stocksync."""
    timeout = aiohttp.ClientTimeout(total=_ASK_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url_here(host, port)}/metrics") as answer,
        ):
            text = await answer.text()
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return None
    return set(re.findall(r'[{,]account="([^"]*)"', text)) if "stocksync_build_info" in text else None
