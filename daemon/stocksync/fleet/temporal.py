"""Temporal as this fleet uses it: the connection, the schedules that are its own, and the workers that live."""

import asyncio
import ssl
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from stocksync.core.fleet_status import LivingWorker, ScheduleStep, Verb
from stocksync.errors import ConfigurationError, FleetUnavailable, StocksyncError
from stocksync.fleet.job import WORKFLOW
from stocksync.fleet.schedules import OURS, PAUSED, Existing, Wanted, prefix_of
from stocksync.fleet.sdk_log import runtime
from stocksync.fleet.tls_mistakes import mistake

_MEMO = "stocksync"
"""Marks a schedule as ours: with the queue of the fleet that made it."""
_AT_ONCE = 16
_TIMEOUT = timedelta(seconds=10)
_LEAST_CATCH_UP = timedelta(seconds=30)
_GRACE = timedelta(seconds=30)
_SILENCE = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Tls:
    """What TLS is spoken with, as PEM; None: what the system trusts, and no certificate of our own."""

    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    server_name: str = ""
    context: ssl.SSLContext | None = field(default=None, repr=False, compare=False)
    """The same for handshakes of our own, which find out what is wrong."""


@dataclass(frozen=True, slots=True)
class TemporalSettings:
    """Where Temporal is, and whom it takes us for."""

    address: str
    namespace: str
    task_queue: str
    heartbeat_timeout: timedelta
    tls: Tls | None = None
    api_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a schedule stands now."""

    schedule: Existing
    last: datetime | None
    """When it last started something."""
    next: datetime | None

    def late(self, now: datetime) -> timedelta | None:
        """Tell for how long it should have started something; None where it is in time or paused.

        What was started and waits for a worker is not started again, and so is late too.
        """
        every, _, jitter = self.schedule.times
        due = self.next if self.last is None else self.last + every + jitter
        if self.schedule.paused or due is None or now - due < _GRACE:
            return None
        return now - due


async def connect(settings: TemporalSettings, identity: str) -> Client:
    """Connect, and see that the namespace is there.

    Raises:
        FleetUnavailable: Temporal does not answer.
        ConfigurationError: it refuses what is configured.

    """
    tls: TLSConfig | bool = False
    if given := settings.tls:
        tls = TLSConfig(
            server_root_ca_cert=given.ca, domain=given.server_name or None, client_cert=given.certificate,
            client_private_key=given.key,
        )  # fmt: skip
    try:
        client = await Client.connect(
            settings.address, namespace=settings.namespace, tls=tls,
            api_key=settings.api_key or None, identity=identity, runtime=runtime(),
        )  # fmt: skip
        await client.count_workflows(rpc_timeout=_TIMEOUT)
    except RPCError as error:
        raise _told(error, settings) from error
    except RuntimeError as error:
        tried = settings.tls or Tls()
        if wrong := await mistake(settings.address, tried.context, tried.server_name):
            raise ConfigurationError(f"{wrong} (Temporal at {settings.address})") from error
        raise FleetUnavailable(f"Temporal at {settings.address} does not answer: {error}") from error
    return client


class Fleet:
    """The schedules of one fleet; those of anybody else are never touched."""

    def __init__(self, client: Client, settings: TemporalSettings) -> None:
        """Take an open connection."""
        self._client, self._settings = client, settings

    async def standings(self) -> dict[str, Standing]:
        """List the schedules that are this fleet's own, by id.

        Raises:
            ConfigurationError: a stranger's schedule bears an id that would be ours.
            FleetUnavailable: Temporal does not answer.

        """
        found: dict[str, Standing] = {}
        prefix = prefix_of(self._settings.task_queue)
        try:
            async for listed in await self._client.list_schedules(rpc_timeout=_TIMEOUT):
                if listed.id.startswith(prefix):
                    if await listed.memo_value(_MEMO, None) != self._settings.task_queue:
                        raise _stranger(listed.id)
                    found[listed.id] = _standing(listed)
        except RPCError as error:
            raise _told(error, self._settings) from error
        return found

    async def carry_out(self, steps: Sequence[ScheduleStep], wanted: Mapping[str, Wanted]) -> None:
        """Do these steps towards what is wanted, by id; what another has done meanwhile is taken as done.

        Raises:
            FleetUnavailable: Temporal does not answer; running it again does the rest.

        """
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(step: ScheduleStep) -> None:
            async with turns:
                handle = self._client.get_schedule_handle(step.id)
                if step.verb is Verb.DELETE:
                    await _unless_gone(handle.delete(rpc_timeout=_TIMEOUT))
                elif step.verb is Verb.PAUSE:
                    await _unless_gone(handle.pause(note=PAUSED, rpc_timeout=_TIMEOUT))
                elif step.verb is Verb.CREATE:
                    new, memo = wanted[step.id], {_MEMO: self._settings.task_queue}
                    try:
                        await self._client.create_schedule(new.id, self._schedule(new), memo=memo, rpc_timeout=_TIMEOUT)
                    except ScheduleAlreadyRunningError:  # who runs this at the same time was faster
                        await self._change(new)
                else:
                    await self._change(wanted[step.id])

        try:
            async with asyncio.TaskGroup() as group:
                for step in steps:
                    group.create_task(one(step))
        except ExceptionGroup as errors:  # one reason is enough: what is left to do is found by the next run
            first = errors.exceptions[0]
            raise (_told(first, self._settings) if isinstance(first, RPCError) else first) from first

    async def workers(self) -> list[LivingWorker]:
        """List who has asked for work lately: a worker asks at least once a minute, save where it is dead.

        Raises:
            FleetUnavailable: Temporal does not answer.

        """
        asked: dict[str, datetime] = {}
        for kind in (TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW):
            request = DescribeTaskQueueRequest(
                namespace=self._settings.namespace,
                task_queue=TaskQueue(name=self._settings.task_queue),
                task_queue_type=kind,
            )
            try:
                answer = await self._client.workflow_service.describe_task_queue(request, timeout=_TIMEOUT)
            except RPCError as error:
                raise _told(error, self._settings) from error
            for poller in answer.pollers:
                at = poller.last_access_time.ToDatetime(tzinfo=UTC)
                asked[poller.identity] = max(at, asked.get(poller.identity, at))
        now = datetime.now(UTC)
        return [LivingWorker(identity, at) for identity, at in sorted(asked.items()) if now - at < _SILENCE]

    async def _change(self, wanted: Wanted) -> None:
        async def follow(current: ScheduleUpdateInput) -> ScheduleUpdate:
            if await current.description.memo_value(_MEMO, None) != self._settings.task_queue:
                raise _stranger(wanted.id)
            state = current.description.schedule.state
            by_a_person = state.paused and not (state.note or "").startswith(OURS)
            schedule = self._schedule(wanted)
            if by_a_person:
                schedule.state = state
            return ScheduleUpdate(schedule)

        await _unless_gone(self._client.get_schedule_handle(wanted.id).update(follow, rpc_timeout=_TIMEOUT))

    def _schedule(self, wanted: Wanted) -> Schedule:
        return Schedule(
            action=ScheduleActionStartWorkflow(
                WORKFLOW,
                wanted.job,
                id=wanted.id,
                task_queue=self._settings.task_queue,
                static_summary=wanted.job.account,
            ),
            spec=ScheduleSpec(
                intervals=[ScheduleIntervalSpec(every=wanted.every, offset=wanted.offset)], jitter=wanted.jitter
            ),
            policy=SchedulePolicy(
                # What was due while Temporal was away is made up for once: the last time within one interval.
                overlap=ScheduleOverlapPolicy.SKIP,
                catchup_window=max(wanted.every, _LEAST_CATCH_UP),
            ),
            state=ScheduleState(note=wanted.note),
        )


def _standing(listed: ScheduleListDescription) -> Standing:
    schedule, info = listed.schedule, listed.info
    if schedule is None or info is None:
        raise FleetUnavailable("Temporal lists schedules without their details: it needs advanced visibility")
    intervals = schedule.spec.intervals
    every, offset = (intervals[0].every, intervals[0].offset or timedelta(0)) if intervals else (timedelta(0),) * 2
    times = every, offset, schedule.spec.jitter or timedelta(0)
    return Standing(
        Existing(listed.id, times, schedule.state.note or "", schedule.state.paused),
        last=info.recent_actions[-1].started_at if info.recent_actions else None,
        next=info.next_action_times[0] if info.next_action_times else None,
    )


def _told(error: RPCError, settings: TemporalSettings) -> StocksyncError:
    """Say what an answer of Temporal means to a person."""
    where = f"Temporal at {settings.address}"
    if error.status is RPCStatusCode.NOT_FOUND:
        return ConfigurationError(f"fleet.namespace: {where} has no namespace {settings.namespace!r}; make it first")
    if error.status in {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}:
        return ConfigurationError(f"fleet.api_key_env: {where} refuses us: {error.message}")
    return FleetUnavailable(f"{where} does not answer: {error.message}")


async def _unless_gone(call: Awaitable[None]) -> None:
    try:
        await call
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


def _stranger(schedule_id: str) -> ConfigurationError:
    return ConfigurationError(
        f"fleet.task_queue: the schedule {schedule_id} is somebody else's; give this fleet another task_queue"
    )
