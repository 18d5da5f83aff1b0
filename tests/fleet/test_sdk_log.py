"""What Temporal's SDK has to say: its core, left alone, prints to standard output."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from temporal_server import Temporal
from temporalio.worker import Worker

from stocksync.fleet.temporal import Fleet, TemporalSettings, connect
from stocksync.fleet.workflow import Work
from stocksync.observe import logs

pytestmark = pytest.mark.xdist_group("fleet")


@pytest.mark.usefixtures("logging_as_it_was")
async def test_a_warning_of_the_core_is_a_log_line_and_nothing_on_standard_output(
    mortal_temporal: Temporal, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure("json")
    settings = TemporalSettings(mortal_temporal.address, "default", "q", timedelta(seconds=5))
    client = await connect(settings, "test")
    said: list[dict[str, Any]] = []
    printed = ""
    async with Worker(client, task_queue="q", workflows=[Work]):
        fleet = Fleet(client, settings)
        async with asyncio.timeout(60):
            while not await fleet.workers():  # noqa: ASYNC110  Temporal sends no event
                await asyncio.sleep(0.1)
        mortal_temporal.stop()
        async with asyncio.timeout(60):
            while not said:
                await asyncio.sleep(0.1)
                out, err = capfd.readouterr()
                printed += out
                said += [json.loads(line) for line in err.splitlines()]
        mortal_temporal.start()
    assert printed == ""
    assert {line["logger"] for line in said} == {"temporalio.core"}
    assert said[0]["level"] == "warning"
