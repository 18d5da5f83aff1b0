"""The workflow with the real Temporal: it runs in the sandbox, and what older versions recorded replays."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from temporal_server import Temporal
from temporalio import activity
from temporalio.client import Client, WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, Worker

from stocksync.fleet.job import AUDIT, POLL, WORKFLOW, Job
from stocksync.fleet.workflow import Work

pytestmark = pytest.mark.xdist_group("fleet")
RECORDED = Path(__file__).with_name("recorded")
"""Histories, as Temporal gives them; one more for each version that changes the workflow."""
ATTEMPTS: list[int] = []


@activity.defn(name=POLL)
async def poll(job: Job) -> dict[str, object]:
    """Lose the lease once, as an attempt that slept does."""
    ATTEMPTS.append(activity.info().attempt)
    if len(ATTEMPTS) == 1:
        raise ApplicationError("the lease was lost", type="lease_lost")
    return {"account": job.account, "pages": 2}


@activity.defn(name=AUDIT)
async def audit(job: Job) -> dict[str, object]:
    """Fail for good."""
    raise ApplicationError(f"the target of {job.account} is away", type="failed", non_retryable=True)


async def test_a_lost_attempt_goes_on_and_a_failed_one_does_not(temporal_server: Temporal) -> None:
    client, queue = await Client.connect(temporal_server.address), uuid4().hex
    ATTEMPTS.clear()
    async with Worker(client, task_queue=queue, workflows=[Work], activities=[poll, audit]):
        names = [uuid4().hex for _ in range(2)]
        started = [
            await client.start_workflow(WORKFLOW, Job("main", kind), id=name, task_queue=queue)
            for name, kind in zip(names, (POLL, AUDIT), strict=True)
        ]
        assert await started[0].result() == {"account": "main", "pages": 2}
        with pytest.raises(Exception, match="Workflow execution failed") as failed:
            await started[1].result()
    assert ATTEMPTS == [1, 2]
    assert "the target of main is away" in str(failed.value.__cause__.__cause__)
    for handle in started:
        await Replayer(workflows=[Work]).replay_workflow(await handle.fetch_history())


@pytest.mark.parametrize("kind", [POLL, AUDIT])
async def test_what_an_older_worker_began_goes_on_under_this_one(kind: str) -> None:
    recorded = json.loads((RECORDED / f"{kind}.json").read_text(encoding="utf-8"))
    await Replayer(workflows=[Work]).replay_workflow(WorkflowHistory.from_json(kind, recorded))


def test_a_job_of_another_version_is_read() -> None:
    client_side = {"account": "main", "kind": AUDIT}
    assert Job(**client_side) == Job("main", AUDIT, deadline=600.0, heartbeat=10.0)
