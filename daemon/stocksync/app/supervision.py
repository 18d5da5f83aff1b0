"""What a daemon tells systemd while it lives, and how it follows its configuration on SIGHUP."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from stocksync.app.endpoint import Endpoint
from stocksync.app.preflight import preflight
from stocksync.app.systemd import Systemd
from stocksync.config import Config, load
from stocksync.core.health import in_one_line
from stocksync.errors import ConfigurationError, StateError
from stocksync.web import waiting

log = structlog.get_logger(__name__)

_STATUS_SECONDS = 10
_MEND = "mend it, then: systemctl reload stocksync (or send SIGHUP)"
_FOLLOWED = {"accounts", "accounts_dir", "log"}
"""Sections that a running daemon can change; the others name what it has opened already."""


@dataclass(slots=True)
class Reload:
    """Reads the configuration again when asked; what is faulty changes nothing."""

    config: Config
    endpoint: Endpoint
    systemd: Systemd
    relog: Callable[[Config], None]
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    work_for: Callable[[Config], Awaitable[None]] | None = None
    """None while there is no state, and so nothing at work."""
    problem: str = ""
    """Why the file read last is not in force."""

    async def run(self) -> None:
        """Follow each request until cancelled; those that come meanwhile are one."""
        while True:
            await self.asked.wait()
            self.asked.clear()
            self.systemd.reloading()
            self.problem = await self._followed()
            self.endpoint.metrics.reloaded(well=not self.problem)
            self.systemd.reloaded()

    async def _followed(self) -> str:
        before = self.config
        try:
            # Reading thousands of accounts takes seconds, in which the loop must turn.
            config = await asyncio.to_thread(lambda: preflight(load(before.file, before=before)))
            if self.work_for is None:
                self.endpoint.watch(config)
            else:
                await self.work_for(config)
            self.relog(config)
        except ConfigurationError as error:
            problems = list(error.problems)
            log.error("reload_refused", problems=problems, todo=f"{_MEND}; what was in force stays so")  # noqa: TRY400  a person's mistake
            return problems[0]
        except Exception as error:
            log.exception("reload_failed")
            return repr(error)
        self.config = config
        old, new = ({one.name: one for one in each.accounts} for each in (before, config))
        log.info(
            "reloaded",
            file=str(config.file or ""),
            added=sorted(new.keys() - old.keys()),
            changed=sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
            removed=sorted(old.keys() - new.keys()),
        )
        if keys := sorted(_needing_restart(before, config)):
            log.warning("restart_needed", keys=keys, because="they take effect when stocksync starts")
        return tell_refused(config)


def tell_refused(config: Config, todo: str = _MEND) -> str:
    """Log which files of accounts_dir are faulty, and what to do; give the first problem, "" where there is none."""
    for one in config.refused:
        log.error("account_file_refused", file=str(one.path), problems=list(one.problems), todo=todo)
    return next((text for one in config.refused for text in one.problems), "")


async def supervise(endpoint: Endpoint, systemd: Systemd, reload: Reload) -> None:
    """Tell systemd how the daemon stands, until cancelled.

    While the state database is waited for, which is no reason to be restarted, the watchdog is fed from here; later by
    the one who sees whether the accounts make progress.
    """
    seconds, awaited_before = 0, None
    while True:
        awaited = endpoint.state.waiting()
        if awaited is not None:
            systemd.feed()
            if awaited.next_try is not None:
                systemd.ready()
        if seconds % _STATUS_SECONDS == 0 or (awaited is None) != (awaited_before is None):
            sentence = await _standing(endpoint)
            systemd.status(f"reload refused: {reload.problem}; {sentence}" if reload.problem else sentence)
        seconds, awaited_before = seconds + 1, awaited
        await asyncio.sleep(1)


async def _standing(endpoint: Endpoint) -> str:
    now = datetime.now(UTC)
    if (awaited := endpoint.state.waiting()) is not None:
        return waiting.sentence(awaited, None, now)
    try:
        statuses = await endpoint.view.get()
    except StateError as error:
        return waiting.sentence(None, error, now)
    judges = endpoint.accounts
    return in_one_line([judges[one.account].health(one, now) for one in statuses if one.account in judges])


def _needing_restart(before: Config, after: Config) -> list[str]:
    keys = []
    for section in type(after).model_fields.keys() - _FOLLOWED:
        old, new = getattr(before, section), getattr(after, section)
        keys += [f"{section}.{key}" for key in type(new).model_fields if getattr(old, key) != getattr(new, key)]
    return keys
