"""Tables from plain values: what a person must find in them, and what must never reach a terminal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from stocksync.cli.format import account, cycle, elements, finding, product
from stocksync.cli.running import exit_code
from stocksync.core.answers import (
    CellExplanation,
    CheckResult,
    CheckState,
    Explanation,
    Health,
    LocationStock,
    Preview,
    Step,
    StockAnswer,
)
from stocksync.core.drift import AuditReport, Cause, Difference
from stocksync.core.guards import Guard
from stocksync.core.held_plan import Decision, HeldChange, HeldPlan
from stocksync.core.model import Change, Removal, TargetRow, Verdict
from stocksync.core.report import Counts, CycleReport, Outcome
from stocksync.ports import AccountStatus, LedgerRow, Quarantined

NOW = datetime(2026, 8, 31, 12, tzinfo=UTC)
CHANGES = (
    Change(42, "MAIN", "BW-001", Decimal(120), Decimal(118), ((3, Decimal(118)),)),
    Change(43, "", "", None, Removal.DEACTIVATED, ((3, Decimal(118)),)),
)
HELD = HeldPlan(
    "main", "3f9c", NOW, {"zeroed": "too many"}, tuple(HeldChange(each, (Guard.ZEROED,)) for each in CHANGES)
)


def report(outcome: Outcome = Outcome.DONE, verdict: Verdict | None = Verdict.COMPLETE) -> CycleReport:
    return CycleReport(
        "main", "c1", NOW, ended_at=NOW + timedelta(seconds=3), outcome=outcome, verdict=verdict, pages=20, total=2000,
        counts=Counts(read=6000, unchanged=5940, applied=60), changes={"update": 60}, phases={"read": 2.0},
    )  # fmt: skip


def text(value: RenderableType) -> str:
    console = Console(file=StringIO(), width=140, color_system=None)
    console.print(value)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("reports", "code"),
    [
        ([report()], 0),
        ([report(Outcome.EMPTY, Verdict.EMPTY)], 0),
        ([report(), report(Outcome.HELD)], 3),
        ([report(Outcome.HELD), report(Outcome.UNAUTHORIZED, None)], 1),
        ([report(Outcome.DONE, Verdict.PARTIAL)], 1),
        ([report(Outcome.DEADLINE)], 1),
        ([report(Outcome.STOPPED)], 1),
        ([], 0),
    ],
)
def test_the_exit_code_of_once_follows_the_worst_cycle(reports, code):
    assert exit_code(reports) == code


def test_a_report_shows_counts_verdict_changes_and_time():
    shown = text(cycle.report(report()))
    for part in (
        "✓ main  done",
        "3 s",
        "6,000",
        "5,940",
        "60 update",
        "complete: 2,000 products, 20 pages",
        "read 2 s",
    ):
        assert part in shown


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_words(outcome):
    value = report(outcome)
    value.error, value.reasons, value.plan_id = "the reason", ("page 7 timed out",), "3f9c"
    shown = text(cycle.report(value))
    assert "the reason" in shown
    assert "page 7 timed out" in shown


def test_a_preview_shows_rows_names_and_what_to_type():
    shown = text(cycle.preview(Preview(report(), CHANGES, HELD, {42: "زيت زيتون"}), limit=1))
    for part in (
        "would write 2 cells",
        "زيت زيتون",
        "120",
        "118",
        "… and 1 more",
        "zeroed: too many",
        "stocksync approve 3f9c",
    ):
        assert part in shown
    nothing = text(cycle.preview(Preview(report(), (), None, {}), limit=5))
    assert "would write nothing" in nothing
    decided = text(cycle.held_plan(replace(HELD, decision=Decision.APPROVED, decided_by="Huda"), 5))
    assert "approved by Huda" in decided


def test_status_shows_health_held_plans_quarantine_and_drift():
    audit = AuditReport("main", NOW, NOW, 6000, {"edited_in_target": 3})
    bad = Quarantined(0, None, "source", "products[3]: no stock", None, 3, NOW, NOW, NOW)
    status = AccountStatus(
        "main", "host:1", 7, NOW, NOW, NOW, None, NOW, 2, [report()], HELD, [bad], 9, 12, NOW, 6000, 2000, audit
    )
    health = Health(
        "main", well=False, lag=timedelta(hours=2), limit=timedelta(minutes=31), reasons=("stale",), word="stale"
    )
    shown = text(account.status([(status, health)], NOW))
    for part in (
        "✗ main  2 h behind",
        "limit 31 min",
        "stale",
        "2 in a row",
        "approve 3f9c",
        "3 edited_in_target",
        "and 8 more",
    ):
        assert part in shown
    fresh = replace(status, owner="", audit=None, held=None, cycles=(), quarantine=(), quarantined=0, unknown=0)
    quiet = text(account.status([(fresh, replace(health, well=True, lag=None, word="fresh"))], NOW))
    assert "nobody" in quiet
    assert "not audited yet" in quiet
    assert quiet.startswith("✓ main")
    waits = account.status([(replace(fresh, held=HELD), replace(health, well=True, word="fresh"))], NOW)
    assert text(waits).startswith("! main"), "no green mark above what waits for a person"
    failed = replace(fresh, audit=replace(audit, error="target away"))
    assert "audit failed" in text(account.status([(failed, health)], NOW))


def test_an_audit_shows_causes_units_and_examples():
    difference = Difference(Cause.EDITED_IN_TARGET, "BW-001 @ MAIN", "118", "130", Decimal(12))
    found = AuditReport(
        "main", NOW, NOW, 6000, {"edited_in_target": 1}, {"edited_in_target": Decimal(12)}, [difference], 1
    )
    shown = text(account.audit(found))
    for part in ("1 of 6,000 cells differ, 1 put back", "BW-001 @ MAIN", "130"):
        assert part in shown
    empty = AuditReport("main", NOW, NOW, 0, {"unmapped": 1005})
    assert "main  no drift in 0 cells; 1,005 rows of no cell of ours" in text(account.audit(empty))
    waits = AuditReport("main", NOW, NOW, 6000, {"held": 832, "edited_in_target": 1})
    assert "1 of 6,000 cells differ; 832 cells wait to be written" in text(account.audit(waits))
    only = AuditReport("main", NOW, NOW, 6000, {"held": 832})
    assert text(account.audit(only)).startswith("✓ main  no drift in 6,000 cells; 832 cells wait")
    assert "no drift" in text(account.audit(AuditReport("main", NOW, NOW, 6000)))
    assert "✗ main  away" in text(account.audit(AuditReport("main", NOW, error="away")))


def test_a_stock_answer_shows_all_sides_and_their_age():
    places = [
        LocationStock("MAIN", {3: "Main Warehouse"}, Decimal(120), Decimal(118), Decimal(118), Decimal(118)),
        LocationStock("", {}, None, None, None, None, in_target=False, remark="unknown: Qoyod no longer shows it"),
        LocationStock("3", {}, Decimal(1), Decimal(1), Decimal(1), None),
    ]
    answer = StockAnswer("main", 42, "BW-001", "Blue Widget", True, True, NOW, places, 1, "note")
    shown = text(product.stock(answer, NOW))
    for part in (
        "BW-001  Blue Widget",
        "Qoyod just now",
        "Main Warehouse",
        "120",
        "✓",
        "not there",
        "cannot be asked",
        "all locations: unknown: Qoyod no longer shows it",
        "wrote 1 cell",
        "note",
    ):
        assert part in shown
    times = {"confirmed_at": NOW, "changed_at": NOW - timedelta(hours=1)}
    old = replace(answer, fresh=False, tracked=False, places=(), **times)
    stale = text(product.stock(old, NOW + timedelta(minutes=5)))
    assert "from the snapshot" in stale
    assert "confirmed 5 min ago, last changed 1 h 5 min ago" in stale
    assert "no stock is known" in stale


@pytest.mark.parametrize(
    ("live", "error", "part"),
    [
        (TargetRow(Decimal(118), True, 1), "", "118  active  ✓"),
        (TargetRow(Decimal(7), None, 1), "", "7  differs"),
        (TargetRow(Decimal(7), None, 2), "", "in 2 rows"),
        (None, "", "no such row"),
        (None, "the target is away", "the target is away"),
    ],
)
def test_an_explanation_shows_each_step_and_the_live_figure(live, error, part):
    step = Step("buffer", "118", "policy.buffer = 2")
    cell = CellExplanation(
        "MAIN", ((3, Decimal(120)),), NOW, [step], Decimal(118), None, Decimal(118), live, error, "held"
    )
    shown = text(product.explanation(Explanation("main", 42, "BW-001", "Blue", False, 3, [cell], "remark"), NOW))
    for expected in ("list page 3", "policy.buffer = 2", "held", "remark", "does not track", part):
        assert expected in shown


def test_history_shows_before_after_and_cause():
    shown = text(product.history([LedgerRow(NOW, "c1", 7, change) for change in CHANGES]))
    for part in ("2026-08-31 12:00:00", "120", "118", "nothing", "deactivated", "poll", "c1"):
        assert part in shown


def test_findings_say_what_to_do():
    failed = CheckResult("main: target", CheckState.FAILED, "no column qty", "map another")
    shown = text(finding.finding(failed))
    assert "✗  main: target" in shown
    assert "→ map another" in shown
    warned, well = replace(failed, state=CheckState.WARNING), replace(failed, state=CheckState.WELL)
    assert "!  main: target" in text(finding.finding(warned))
    assert "1 of 3 needs you" in text(finding.verdict([failed, warned, well]))
    assert "1 warning" in text(finding.verdict([warned, well]))
    assert "all is well" in text(finding.verdict([well]))


@pytest.mark.parametrize("width", [80, 120])
def test_a_command_in_a_finding_is_never_broken(width):
    commands = [
        "GRANT SELECT, UPDATE, INSERT ON shop.legacy TO novice",
        "pip install 'stocksync[postgresql]'",
        "stocksync migrate --config /etc/stocksync/here-and-there/config.toml",
    ]
    for command in commands:
        todo = f"let an administrator of this database, who has the rights, run: {command}"
        console = Console(width=width, record=True, file=StringIO())
        console.print(
            finding.finding(CheckResult("main: target", CheckState.FAILED, "refused " * 30, todo)), crop=False
        )
        lines = console.export_text().splitlines()
        assert any(command in line for line in lines)
        assert max(map(len, lines)) <= max(width, 29 + len(command))


def test_foreign_text_cannot_command_the_terminal():
    change = replace(CHANGES[0], sku="\x1b[2Jgone\x9b\u202e", place="[bold]A[/bold]\r")
    shown = text(cycle.preview(Preview(report(), (change,), None, {42: "a\nb\x07"}), limit=5))
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "\u202e" not in shown
    assert "[bold]A[/bold]" in shown


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.03, "30 ms"), (1.0, "1 s"), (2.54, "2.5 s"), (45, "45 s"), (181, "3 min 1 s"), (200_000, "2 d 7 h")],
)
def test_lengths_of_time_are_said_shortly(value, said):
    assert elements.seconds(value) == said
