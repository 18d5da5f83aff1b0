"""Reads the configuration again when one of its files has changed, or on SIGHUP: for the processes of a fleet."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from stocksync.app.supervision import tell_refused
from stocksync.config import Config, load
from stocksync.errors import ConfigurationError

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 5.0
_MEND = "mend it; what was in force stays so. Files are seen by themselves; after a secret alone send SIGHUP"

Fingerprint = frozenset[tuple[str, int, int]]
"""Path, time of change and size of each file."""


class ConfigWatch:
    """Follows the files of a configuration; a faulty one changes nothing, one of accounts_dir its own account alone."""

    def __init__(
        self, config: Config, follow: Callable[[Config], Awaitable[None]], told: Callable[[str], None] = lambda _: None
    ) -> None:
        """Take who follows; `told` hears why what was read last is not in force, "" where it is."""
        self.config = config
        self.asked = asyncio.Event()
        self._follow, self._told = follow, told
        self._seen = _fingerprint(config)

    async def run(self) -> None:
        """Look every few seconds, and at once when asked, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self.asked.wait()
            except TimeoutError:
                pass
            now = await asyncio.to_thread(_fingerprint, self.config)
            if self.asked.is_set() or now != self._seen:
                self.asked.clear()
                self._seen = now
                self._told(await self._read())

    async def _read(self) -> str:
        try:
            config = await asyncio.to_thread(load, self.config.file, None, self.config)
            await self._follow(config)
        except ConfigurationError as error:
            problems = list(error.problems)
            log.error("reload_refused", problems=problems, todo=_MEND)  # noqa: TRY400  a person's mistake
            return problems[0]
        except Exception as error:
            log.exception("reload_failed")
            return repr(error)
        before, self.config = self.config, config
        names = [{one.name for one in each.accounts} for each in (before, config)]
        added, gone = sorted(names[1] - names[0]), sorted(names[0] - names[1])
        log.info("reloaded", file=str(config.file or ""), accounts=len(config.accounts), added=added, removed=gone)
        return tell_refused(config)


def _fingerprint(config: Config) -> Fingerprint:
    if config.file is None:
        return frozenset()
    folder = config.file.parent / config.accounts_dir
    found = [config.file, *(folder.glob("*.toml") if config.accounts_dir else ())]
    return frozenset(each for path in found if (each := _stamp(path)))


def _stamp(path: Path) -> tuple[str, int, int] | None:
    try:
        stat = path.stat()
    except OSError:  # it was removed between the two looks
        return None
    return str(path), stat.st_mtime_ns, stat.st_size
