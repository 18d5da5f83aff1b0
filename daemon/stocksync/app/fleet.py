"""What the commands of the fleet do with Temporal: `fleet apply` and `fleet status`."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stocksync.config import Config, FleetConfig
from stocksync.core.fleet_status import FleetStatus, ScheduleStatus, ScheduleStep
from stocksync.errors import ConfigurationError
from stocksync.fleet.schedules import Timing, Wanted, difference, named_in, wanted_of
from stocksync.fleet.temporal import Fleet, TemporalSettings, Tls, connect

_IDENTITY = "stocksync fleet"


def settings_of(fleet: FleetConfig) -> TemporalSettings:
    """Give what the connection is made with; reads certificates and key anew.

    Raises:
        ConfigurationError: no address is configured, or a file cannot be read.

    """
    if not fleet.address:
        raise ConfigurationError("fleet.address: is needed here: host:port of Temporal's frontend (docs/fleet.md)")
    tls = _tls(fleet) if fleet.encrypted else None
    api_key = fleet.api_key.read() if fleet.api_key else ""
    return TemporalSettings(fleet.address, fleet.namespace, fleet.task_queue, fleet.heartbeat_timeout, tls, api_key)


def wanted_by(config: Config) -> list[Wanted]:
    """Give the schedules that a configuration asks for."""
    timings = (
        Timing(one.name, one.poll.interval, one.poll.jitter, one.poll.deadline, one.drift.interval)
        for one in config.accounts
    )
    return list(wanted_of(config.fleet.task_queue, timings, config.fleet.heartbeat_timeout))


@dataclass(slots=True)
class Applying:
    """What `fleet apply` is about to do, and how it does it."""

    steps: list[ScheduleStep]
    _wanted: Mapping[str, Wanted]
    _fleet: Fleet

    async def carry_out(self) -> None:
        """Do it.

        Raises:
            FleetUnavailable: Temporal does not answer; running it again does the rest.

        """
        await self._fleet.carry_out(self.steps, self._wanted)


@asynccontextmanager
async def applying(config: Config) -> AsyncIterator[Applying]:
    """Compare the configuration with Temporal's schedules; nothing is changed before `carry_out`.

    Raises:
        ConfigurationError, FleetUnavailable: they cannot be compared.

    """
    settings = settings_of(config.fleet)
    fleet = Fleet(await connect(settings, _IDENTITY), settings)
    existing = {name: standing.schedule for name, standing in (await fleet.standings()).items()}
    faulty = [str(one.path) for one in config.refused]
    wanted = wanted_by(config)
    yield Applying(difference(wanted, existing, faulty), {one.id: one for one in wanted}, fleet)


async def fleet_status(config: Config) -> FleetStatus:
    """Tell which schedules run, are late, paused or missing, and which workers live.

    Raises:
        ConfigurationError, FleetUnavailable: Temporal could not be asked.

    """
    settings = settings_of(config.fleet)
    fleet = Fleet(await connect(settings, _IDENTITY), settings)
    standings, workers, now = await fleet.standings(), await fleet.workers(), datetime.now(UTC)
    wanted = wanted_by(config)
    strays = sorted(standings.keys() - {one.id for one in wanted})
    schedules = []
    for one in wanted:
        account, kind, standing = one.job.account, one.job.kind, standings.get(one.id)
        if standing is None:
            schedules.append(ScheduleStatus(account, kind, "missing", one.every))
            continue
        late = standing.late(now)
        state = "paused" if standing.schedule.paused else "late" if late else "waits"
        note = standing.schedule.note if standing.schedule.paused else ""
        schedules.append(ScheduleStatus(account, kind, state, one.every, standing.last, standing.next, late, note))
    return FleetStatus(now, workers, schedules, [" ".join(named_in(one)) for one in strays])


def _tls(fleet: FleetConfig) -> Tls:
    ca, certificate, key = (_pem(name, getattr(fleet, name)) for name in ("tls_ca", "tls_certificate", "tls_key"))
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context = ssl.create_default_context(cadata=ca.decode())
        except (ssl.SSLError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"fleet.tls_ca: holds no certificate in PEM (got {fleet.tls_ca})") from error
    if fleet.tls_certificate:
        try:
            # With an empty password OpenSSL does not ask on the terminal for that of a key that has one.
            context.load_cert_chain(fleet.tls_certificate, fleet.tls_key, password=lambda: "")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                what = f"fleet.tls_key: is not the key of tls_certificate (got {fleet.tls_key})"
                raise ConfigurationError(what) from error
            raise ConfigurationError(
                "fleet.tls_certificate, fleet.tls_key: must be a certificate and its private key in PEM, without a "
                f"password (got {fleet.tls_certificate} and {fleet.tls_key})"
            ) from error
    return Tls(ca, certificate, key, fleet.tls_server_name, context)


def _pem(key: str, name: str) -> bytes | None:
    try:
        return Path(name).read_bytes() if name else None
    except OSError as error:
        raise ConfigurationError(f"fleet.{key}: {error.strerror or error} (got {name})") from error
