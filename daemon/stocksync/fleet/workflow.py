"""The workflow: one activity, tried elsewhere for as long as its worker dies on the way.

Runs in Temporal's sandbox and is replayed: whatever changes here stands behind `workflow.patched`.
"""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from stocksync.fleet.job import WORKFLOW, Job

_SPARE = timedelta(seconds=60)
"""For waiting until the lease is free, and for ending what was begun."""
_AGAIN = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=1.5, maximum_interval=timedelta(seconds=10)
)
"""Of an attempt that died; what failed for good says so itself, and waits for its next time."""


@workflow.defn(name=WORKFLOW)
class Work:
    """One poll or audit."""

    @workflow.run
    async def run(self, job: Job) -> dict[str, Any]:
        """Have it done, and give its figures."""
        figures: dict[str, Any] = await workflow.execute_activity(
            job.kind,
            job,
            result_type=dict[str, Any],
            start_to_close_timeout=timedelta(seconds=job.deadline) + _SPARE,
            heartbeat_timeout=timedelta(seconds=job.heartbeat),
            retry_policy=_AGAIN,
        )
        return figures
