"""How thousands of accounts stand, by one statement: the same as the whole status, on every database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from leasing import claim
from sqlalchemy import event

from stocksync.core.drift import AuditReport
from stocksync.core.model import Change, Verdict
from stocksync.core.report import Counts, CycleReport, Outcome
from stocksync.ports import Quarantined
from stocksync.ports.state import SnapshotUpdate
from stocksync.state.database import open_state

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
SHARED = (
    "account", "owner", "epoch", "leased_until", "last_attempt", "last_complete", "last_push", "consecutive_failures",
    "held", "quarantined", "unauthorized_since", "target_contact", "audit", "oldest_unpushed", "oldest_unknown",
    "oldest_quarantined", "target_answers",
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
async def state(request):
    opened = await open_state(request.getfixturevalue(f"{request.param}_state_url"), timedelta(days=90))
    yield opened
    await opened.close()


def report(cycle_id, minutes, **fields):
    started = AT + timedelta(minutes=minutes)
    return CycleReport("main", cycle_id, started, ended_at=started + timedelta(seconds=5), **fields)


async def test_summaries_agree_with_the_status_and_look_at_cells_only_where_there_is_doubt(state):
    lease = await claim(state, "main", "one", timedelta(minutes=5))
    counts = Counts(read=6, unchanged=5, applied=0, quarantined=1)
    cells = {"managed": 5, "unknown": 1, "quarantined": 1}
    whole = report("c1", 0, verdict=Verdict.COMPLETE, outcome=Outcome.DONE, counts=counts, cells=cells, total=3)
    whole.products, whole.refusal = {"tracked": 2, "untracked": 1}, "1 of 6 cells refused: too long"
    await state.begin(lease, whole)
    entry = Quarantined(11, "MAIN", "target", "too long", None, 1, AT, AT, AT)
    await state.observe(lease, "c1", SnapshotUpdate(quarantined=[entry]))
    await state.end(lease, whole)
    await state.record_audit(lease, AuditReport("main", AT, ended_at=AT, compared=5, cells={"edited_in_target": 2}))
    failed = report("c2", 15, outcome=Outcome.FAILED, error="refused", target_failed=True)
    await state.begin(lease, failed)
    open_ = Change(12, "MAIN", "SKU", None, Decimal(1), ((3, Decimal(1)),))
    await state.intend(lease, "c2", [open_])
    await state.end(lease, failed)

    main, unknown = await state.summaries(["main", "unknown"])
    (known,) = await state.status(["main"])
    assert {name: getattr(main, name) for name in SHARED} == {name: getattr(known, name) for name in SHARED}
    assert (main.managed, main.unknown, main.refused, main.products, main.cells) == (5, 1, 1, 3, 6)
    assert (main.target_answers, main.oldest_quarantined) == (False, AT)
    assert main.oldest_unpushed is not None
    assert [cycle.cycle_id for cycle in main.cycles] == ["c2", "c1"], "the one that failed, and the last complete one"
    assert replace(unknown, account="") == replace((await state.summaries(["nobody"]))[0], account="")
    assert unknown.last_attempt is None

    asked = []
    event.listen(state.engine.sync_engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    assert len(await state.summaries([f"calm-{number}" for number in range(3)])) == 3
    assert len([text for text in asked if text.lstrip().upper().startswith("SELECT")]) == 1
