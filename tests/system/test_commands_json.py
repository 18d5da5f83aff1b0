"""What each command prints with --json is what docs/http.md says, and nothing else stands on standard output."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from documented import held_against

from stocksync.core.answers import CheckResult, Explanation, Health, Preview, StockAnswer
from stocksync.core.drift import AuditReport
from stocksync.core.report import CycleReport
from stocksync.core.status import AccountStatus
from stocksync.ports import LedgerRow
from stocksync.web import reference

ANSWERS = (
    (("check",), CheckResult),
    (("plan",), Preview),
    (("once", "--dry-run"), Preview),
    (("once",), CycleReport),
    (("stock", "P-01"), StockAnswer),
    (("history", "P-01"), LedgerRow),
    (("drift",), AuditReport),
)


def test_the_page_is_made_from_the_records() -> None:
    page = Path(__file__).parents[2] / "docs/http.md"
    told = page.read_text(encoding="utf-8")
    assert told == reference.render(), "run: .venv/bin/python -m stocksync.web.reference > docs/http.md"


async def test_each_command_prints_what_the_page_says(open_shop: Callable[..., Any]) -> None:
    shop = await open_shop(products=3)
    for arguments, record in ANSWERS:
        ended = await shop.command(*arguments, "--json")
        assert isinstance(ended.json, list), arguments
        assert ended.json, arguments
        held_against(ended.json, record)
        assert ended.err == "", arguments
    told = (await shop.command("status", "--json")).json
    assert [set(each) for each in told] == [{"status", "health"}]
    held_against(told[0]["status"], AccountStatus)
    held_against(told[0]["health"], Health)
    explained = (await shop.command("explain", "P-01", "--json")).json
    assert set(explained) == {"explanations", "history", "decisions"}
    held_against(explained["explanations"], Explanation)
    held_against(explained["history"], LedgerRow)
