"""Every screen at 80 and at 120 columns: no line is too wide, and what is typed or copied is never split."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from stocksync.cli.format import account, cycle, product
from stocksync.core.answers import (
    CellExplanation,
    Explanation,
    Health,
    LocationStock,
    Preview,
    Step,
    StockAnswer,
)
from stocksync.core.drift import AuditReport, Cause, Difference
from stocksync.core.model import Change, TargetRow, Verdict
from stocksync.core.report import Counts, CycleReport, Outcome
from stocksync.core.status import AccountStatus, Quarantined
from stocksync.ports import LedgerRow

NOW = datetime(2026, 8, 31, 12, tzinfo=UTC)
ERROR = 'Qoyod refused the credential (401): {"error":"the key was revoked, or is another tenant\'s"}'
NAMES, PLACES = {42: "Blue Widget, 250 ml, carton of twelve"}, {"3": "Riyadh Outlet", "MAIN": "Main Warehouse"}


def change(number=42, before=120, after=118, place="MAIN"):
    return Change(number, place, f"OUD-{number:05}", Decimal(before), Decimal(after), ((3, Decimal(after)),))


def report(**given):
    counts = Counts(read=123_456, unchanged=120_000, applied=2_000, held=800, quarantined=400, ignored=200, unpushed=56)
    ended = {"ended_at": NOW + timedelta(seconds=3), "outcome": Outcome.DONE, "verdict": Verdict.COMPLETE}
    told = {"pages": 400, "total": 40_000, "counts": counts, "ignored": {"unknown": 150, "not in the target": 50}}
    return CycleReport("main", "4bd536fb8753", NOW, **(ended | told | given))


def status():
    failed = report(outcome=Outcome.UNAUTHORIZED, verdict=None, error=ERROR)
    entry = Quarantined(42, "MAIN", "target", "column 'loc': 'MAIN' is no plain whole number, which the column holds",
        Decimal(5), 3, NOW - timedelta(hours=5), NOW, NOW, sku="OUD-00042", location="Main Warehouse")  # fmt: skip
    one = AccountStatus("main", "shop-1.example.com:3569:ab12", 7, NOW, NOW, NOW, None, NOW, 3, [failed] * 5, None,
        [entry], 584, 12, NOW, 6000, 2000, AuditReport("main", NOW, NOW, 6000, {"held": 832, "edited_in_target": 1}),
        places=PLACES, title="متجر الرياض")  # fmt: skip
    reasons = ("Qoyod refuses the credential since 2026-08-31 11:59 UTC: make a key in Qoyod (Settings, API)",)
    health = Health("main", well=False, lag=timedelta(hours=2), limit=timedelta(minutes=40), reasons=reasons,
        word="credential refused")  # fmt: skip
    return account.status([(one, health)], NOW)


def stock():
    place = LocationStock("MAIN", {1: "Main Warehouse"}, Decimal("120.5"), Decimal(120), Decimal(120), None,
        remark="quarantined (target, 3 attempts): column 'loc': 'MAIN' is no plain whole number")  # fmt: skip
    times = {"confirmed_at": NOW - timedelta(seconds=10), "changed_at": NOW - timedelta(minutes=7)}
    answer = StockAnswer("main", 42, "OUD-00042", NAMES[42], True, False, NOW, [place], **times)
    return product.stock(answer, NOW)


def steps(*figures):
    names = ("raw", "location map", "negative", "buffer", "rounding")
    return [Step(name, figure, f"because of {name}") for name, figure in zip(names, figures, strict=True)]


def explained(*figures):
    cell = CellExplanation("MAIN", ((1, Decimal(120)),), NOW, steps(*figures), Decimal(120), None, Decimal(120),
        TargetRow(Decimal(120), True, 1), locations={1: "Main Warehouse"},
        confirmed_at=NOW - timedelta(seconds=10), changed_at=NOW - timedelta(minutes=7))  # fmt: skip
    return product.explanation(Explanation("main", 42, "OUD-00042", NAMES[42], True, 3, [cell, replace(cell)]), NOW)


def history(width):
    rows = [LedgerRow(NOW, "4bd536fb8753", 7, change(), location="Main Warehouse"),
        LedgerRow(NOW, "lookup-4bd536fb8753", 7, change(after=0))]  # fmt: skip
    return product.history(rows, width)


def plan():
    changes = [change(1, 10, 12), change(2, 900, 0), change(3, 50, 20, "3")]
    return cycle.preview(Preview(report(), changes, None, {**NAMES, 1: "One", 2: NAMES[42]}, (), PLACES), 30)


def audit():
    found = [Difference(Cause.EDITED_IN_TARGET, "OUD-00042 @ MAIN", "118", "130", Decimal(12), "Main Warehouse")]
    return account.audit(AuditReport("main", NOW, NOW, 6000, {"edited_in_target": 1, "held": 832}, {}, found))


SCREENS = {
    "once": lambda _: cycle.report(report()),
    "once refused": lambda _: cycle.report(report(outcome=Outcome.UNAUTHORIZED, error=ERROR)),
    "plan": lambda _: plan(),
    "status": lambda _: status(),
    "stock": lambda _: stock(),
    "explain": lambda _: explained("120", "120", "120", "118", "118"),
    "history": history,
    "drift": lambda _: audit(),
}


def shown(value: RenderableType, width: int) -> str:
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(value)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_keeps_to_its_width_and_splits_no_moment(name, width):
    text = shown(SCREENS[name](width), width)
    assert max(map(len, text.splitlines())) <= width
    assert re.findall(r"2026-0?8?-?$|\b\d\d:\d\d:$", text, re.MULTILINE) == []


@pytest.mark.parametrize("width", [80, 120])
def test_the_sum_of_a_cycle_stands_on_one_line_and_says_what_was_ignored(width):
    lines = [" ".join(line.split()) for line in shown(cycle.report(report()), width).splitlines()]
    assert "read = unchanged + applied + held + quarantined + ignored + unpushed" in lines
    assert "123,456 120,000 2,000 800 400 200 56" in lines
    assert "ignored 150 unknown, 50 not in the target" in lines


@pytest.mark.parametrize("width", [80, 120])
def test_history_has_a_row_a_change(width):
    text = shown(history(width), width)
    rows = [line for line in text.splitlines() if line.startswith("2026-08-31")]
    assert len(rows) == 2
    assert "Main Warehouse" in " ".join(text.split())
    assert ("4bd536fb8753" in text) is (width == 120)


def test_a_plan_shows_the_largest_fall_first_and_sums_up():
    text = shown(plan(), 120)
    assert "would write 3 cells: 930 units less, 2 units more, 1 to zero" in text
    assert text.index("OUD-00002") < text.index("OUD-00003") < text.index("OUD-00001")
    assert "3  Riyadh Outlet" in text


def test_an_error_that_repeats_is_said_once():
    text = " ".join(shown(status(), 80).split())
    assert text.count("Qoyod refused the credential (401)") == 1
    assert "(5 times)" in text
    assert "main متجر الرياض credential refused" in text
    assert "OUD-00042 @ MAIN Main Warehouse" in text


def test_an_explanation_shows_only_the_steps_that_change_something():
    plain, bent = (shown(explained(*each), 80) for each in (["120"] * 5, ["120", "120", "120", "118", "118"]))
    assert "because of" in plain
    assert plain.count("because of") == 2, "the raw figure of each of the two cells"
    assert "location map, negative, buffer, rounding: nothing changes" in plain
    assert "because of buffer" in bent
    assert "because of rounding" not in bent
    assert "confirmed 10 s ago, last changed 7 min ago" in plain


async def test_help_without_a_command_is_no_mistake_and_flows_to_any_width(command):
    helped = await command(COLUMNS="80", TERMINAL_WIDTH="80")
    assert helped.code == 0
    assert "shows what would be written; stocksync run is the daemon." in " ".join(helped.out.split())
    assert not re.search(r"would be\s*$\n\s*written", helped.out, re.MULTILINE)
