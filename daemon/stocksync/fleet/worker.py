"""The worker: takes polls and audits from Temporal until it is told to stop, and drains."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.worker import Worker

from stocksync.errors import FleetUnavailable
from stocksync.fleet.activity import Activities
from stocksync.fleet.temporal import TemporalSettings, connect
from stocksync.fleet.workflow import Work
from stocksync.run.service import DRAIN_SECONDS

log = structlog.get_logger(__name__)

_AGAIN_SECONDS = 2.0
_BATCH_SECONDS = 10.0
"""For a batch that was begun, after its poll was cancelled."""
_HEARTBEAT = timedelta(seconds=5)
"""The longest time between two heartbeats that reach Temporal; so late a cancellation may be heard."""
_SHARE = 3
"""Heartbeats within the time-out: a busy machine that misses one is no dead one."""


async def connected(settings: TemporalSettings, identity: str, stopping: asyncio.Event) -> Client | None:
    """Connect, however long it takes; None where `stopping` came first.

    Raises:
        ConfigurationError: Temporal refuses what is configured; no waiting mends that.

    """
    away = False
    while not stopping.is_set():
        try:
            client = await connect(settings, identity)
        except FleetUnavailable as error:
            if not away:
                log.warning("temporal_unavailable", error=str(error), again_every_seconds=_AGAIN_SECONDS)
            away = True
            with suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_SECONDS):
                    await stopping.wait()
        else:
            log.info("temporal_connected", address=settings.address, namespace=settings.namespace)
            return client
    return None


async def work(
    client: Client, settings: TemporalSettings, activities: Activities, concurrency: int, stopping: asyncio.Event
) -> None:
    """Take work until `stopping`, then let what runs end: for 20 s by itself, and 10 s for a batch that was begun.

    Raises:
        Exception: what killed the worker: a process without it must not look alive.

    """
    worker = Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[Work],
        activities=[activities.poll, activities.audit],
        max_concurrent_activities=concurrency,
        max_heartbeat_throttle_interval=min(_HEARTBEAT, settings.heartbeat_timeout / _SHARE),
        graceful_shutdown_timeout=timedelta(seconds=DRAIN_SECONDS - _BATCH_SECONDS),
    )
    running = asyncio.create_task(worker.run())
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait([running, stop], return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not running.done():
        log.info("draining", tasks=len(activities.at_work), at_most_seconds=DRAIN_SECONDS)
        await worker.shutdown()
    await running
