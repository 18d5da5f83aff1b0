"""Reads the configuration again when one of its files has changed, or on SIGHUP: for the processes of a fleet."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import structlog

from stocksync.app.supervision import tell_refused
from stocksync.config import Config, load
from stocksync.errors import ConfigurationError

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 5.0
_AGAIN_SECONDS, _AGAIN_AT_MOST = 300.0, 3600.0
"""Between two readings of what is faulty; each time twice as long, as ten thousand accounts take seconds."""
SEEN_BY_ITSELF = "mend it, which is seen by itself (a secret alone: at once on SIGHUP); what was in force stays so"
"""What to do about a faulty file where files are watched."""

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
        self._faulty = _refused(config)

    async def run(self) -> None:
        """Look every few seconds, and at once when asked, until cancelled."""
        loop = asyncio.get_running_loop()
        read_at, pause = loop.time(), _AGAIN_SECONDS
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self.asked.wait()
            except TimeoutError:
                pass
            now = await asyncio.to_thread(_fingerprint, self.config)
            changed = self.asked.is_set() or now != self._seen
            # A secret that was missing may be there by now, and stands in none of the files that are looked at.
            if changed or (self._faulty and loop.time() - read_at >= pause):
                pause = _AGAIN_SECONDS if changed else min(2 * pause, _AGAIN_AT_MOST)
                self.asked.clear()
                self._seen, read_at = now, loop.time()
                await self._read(again=not changed)

    async def _read(self, *, again: bool) -> None:
        """Take up what stands there; nothing is told `again` where the same is faulty."""
        try:
            config = await asyncio.to_thread(load, self.config.file, None, self.config)
            if again and _refused(config) == self._faulty:
                return
            await self._follow(config)
        except ConfigurationError as error:
            problems = list(error.problems)
            if not again or problems != self._faulty:
                log.error("reload_refused", problems=problems, todo=SEEN_BY_ITSELF)  # noqa: TRY400  a person's mistake
            self._faulty = problems
            self._told(problems[0])
            return
        except Exception as error:
            log.exception("reload_failed")
            self._faulty = [repr(error)]
            self._told(repr(error))
            return
        before, self.config = self.config, config
        names = [{one.name for one in each.accounts} for each in (before, config)]
        added, gone = sorted(names[1] - names[0]), sorted(names[0] - names[1])
        log.info("reloaded", file=str(config.file or ""), accounts=len(config.accounts), added=added, removed=gone)
        self._faulty = _refused(config)
        self._told(tell_refused(config, SEEN_BY_ITSELF))


def _refused(config: Config) -> list[str]:
    return [text for one in config.refused for text in one.problems]


def _fingerprint(config: Config) -> Fingerprint:
    if config.file is None:
        return frozenset()
    stamps = {_stamp(config.file)}
    if config.accounts_dir:
        with suppress(OSError), os.scandir(config.file.parent / config.accounts_dir) as files:
            # Ten thousand files are looked at every five seconds: pathlib would make several objects of each.
            stamps |= {_stamp(one) for one in files if one.name.endswith(".toml")}
    return frozenset(stamps)


def _stamp(file: Path | os.DirEntry[str]) -> tuple[str, int, int]:
    try:
        stat = file.stat()
    except OSError:  # it was removed between the two looks
        return os.fspath(file), 0, 0
    return os.fspath(file), stat.st_mtime_ns, stat.st_size
