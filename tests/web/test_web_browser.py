"""The pages in a real browser: both languages, light and dark, wide and on a phone, with names meant to harm."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import opened_browser

from stocksync.core.answers import CellExplanation, Explanation, Step
from stocksync.core.drift import Cause, Difference
from stocksync.core.overview import Column, Day, FoundProduct, RecentChange
from stocksync.core.policy import LocationMap
from stocksync.core.report import Outcome
from stocksync.ports import LedgerRow
from stocksync.web.product_view import Story

LOOKS = [(1200, "light"), (1200, "dark"), (360, "light"), (360, "dark")]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def furnish(ex, site):
    """Put something hostile wherever a name, a reason or a place is shown."""
    bad = ex.HOSTILE
    plan = replace(ex.plan(3), reasons={"zeroed": bad})
    plan = replace(plan, changes=tuple(replace(one, name=bad) for one in plan.changes))
    audit = replace(ex.audit(), examples=[Difference(Cause.EDITED_IN_TARGET, bad, bad, bad, Decimal(1), location=bad)])
    site.shelf.statuses["main"] = ex.status(
        owner=bad, held=plan, audit=audit, quarantine=(replace(ex.quarantined(bad), sku="عود الورد", name=bad),),
        quarantined=150, locations={3: "المستودع", 7: bad}, last_complete=ex.ago(hours=3), consecutive_failures=5,
        cycles=(ex.cycle(outcome=Outcome.FAILED, error=bad), ex.cycle()), orphaned={bad: Decimal("1234.5")},
    )  # fmt: skip
    site.ledger.newest = [
        RecentChange(ex.ago(minutes=n), "main", n + 1, f"SKU-{n}", (bad, "زيت العود")[n % 2], "3", "",
                     (None, Decimal(7))[n % 2], Decimal(-n), "poll", n) for n in range(4)
    ]  # fmt: skip
    site.ledger.day = Day([Column(n % 3, n % 2, n) for n in range(96)])
    site.ledger.known = [
        FoundProduct("main", 42, "BW-001", "Blue Widget"),
        FoundProduct("main", 43, bad, "Blue " + bad),
    ]
    rows = [LedgerRow(ex.ago(hours=n), "c", 1, ex.change(before=str(n), after=str(n * n)), id=n + 1) for n in range(5)]
    cell = CellExplanation("MAIN", (), ex.NOW, [Step("raw", bad, bad)], Decimal(1), None, None, None)
    cells = [cell, replace(cell, place=bad)]
    site.counter.told = Story(Explanation("main", 42, "BW-001", bad, True, 1, cells, remark=bad), rows)
    site.counter.answer = replace(ex.ANSWER, name=bad, note=bad, confirmed_at=ex.ago(seconds=9))


@pytest.mark.timeout(300)
async def test_no_page_is_hard_to_read_breaks_out_of_its_width_or_asks_another_host(ex, tmp_path: Path):
    program = ex.required("chromium")
    watched = replace(ex.MAIN, places=LocationMap(), title=ex.HOSTILE)
    async with ex.opened(watched=(watched,)) as site, opened_browser(program, tmp_path) as tab:
        furnish(ex, site)
        for language in ("en", "ar"):
            for number, path in enumerate(("/", "/stock?sku=BW-001", "/search?q=Blue", "/nowhere", "/runbook")):
                await tab.open(f"{site.url}{path}{'&' if '?' in path else '?'}lang={language}")
                assert await tab.run("document.documentElement.lang + document.dir") in {"enltr", "arrtl"}
                # Each page in two looks, so that all looks are seen of each language.
                for width, scheme in LOOKS[number % 2 :: 2]:
                    await tab.look_like(width=width, scheme=scheme)
                    assert await tab.run(OVERFLOW) <= 0, (language, path, width)
                    assert await tab.flaws() == [], (language, path, width, scheme)
        assert await tab.run("document.querySelectorAll('script').length") == 1
        await tab.look_like(width=360, scheme="dark")
        await tab.run("document.querySelector('main p').style.color = 'rgb(60 60 60)'; document.title = ''")
        assert {each.partition(":")[0] for each in await tab.flaws()} == {"color-contrast", "document-title"}
        expected = [each for each in tab.complaints if "404" in each and "/nowhere" in each]
        assert tab.complaints == expected, "a page that is not there is the only complaint"
        assert {urlsplit(each).netloc for each in tab.asked if not each.startswith("data:")} == {site.url[7:]}


def appears(selector):
    """Give a script that waits until the page has such an element, by refreshing itself."""
    return (
        "new Promise((came) => { const look = setInterval(() => {"
        f" if (document.querySelector('{selector}')) {{ clearInterval(look); came(true); }} }}, 50); }})"
    )


COMES_TO = "new Promise((came) => {{ const look = setInterval(() => {{ if ({condition}) {{ clearInterval(look); came(1); }} }}, 20); }})"  # noqa: E501


@pytest.mark.timeout(120)
async def test_a_page_refreshes_and_keeps_what_is_typed_opened_and_focused(ex, tmp_path: Path):
    program = ex.required("chromium")
    async with ex.opened() as site, opened_browser(program, tmp_path) as tab:
        furnish(ex, site)
        await tab.open(site.url + "/?lang=en")
        assert await tab.run(appears("#drift-main"))  # what was shown a second ago may be shown once more
        assert "UTC" not in await tab.run("document.querySelector('td time').textContent"), "on the reader's own clock"
        await tab.run("document.getElementById('q').value = 'half typed'")
        await tab.run("document.getElementById('drift-main').open = true")
        await tab.run("document.querySelector('#drift-main summary').focus()")
        site.ledger.newest = [replace(site.ledger.newest[0], id=99, sku="JUST-NOW"), *site.ledger.newest]
        assert await tab.run(appears("tr.new"))
        assert await tab.run("document.querySelector('tr.new').textContent.includes('JUST-NOW')")
        assert await tab.run("document.getElementById('q').value") == "half typed"
        assert await tab.run("document.getElementById('drift-main').open")
        assert await tab.run("document.activeElement === document.querySelector('#drift-main summary')")
        assert tab.complaints == []


@pytest.mark.timeout(120)
async def test_each_command_has_a_button_that_copies_it_and_each_trouble_leads_to_what_to_do(ex, tmp_path: Path):
    program = ex.required("chromium")
    async with ex.opened() as site, opened_browser(program, tmp_path) as tab:
        furnish(ex, site)
        await tab.do("Browser.grantPermissions", permissions=["clipboardReadWrite"])
        for language, word in (("en", "copied"), ("ar", "نُسخ")):
            await tab.open(f"{site.url}/?lang={language}")
            await tab.run(appears(".held"))
            commands = "document.querySelectorAll('main code.type')"
            assert await tab.run(f"[...{commands}].every((one) => one.nextSibling.className === 'copy')")
            assert await tab.run(f"{commands}.length") >= 3
            await tab.run("document.querySelector('.held button.copy').focus()")
            for kind in ("keyDown", "keyUp"):  # by the keyboard, as by the mouse
                await tab.do("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                             windowsVirtualKeyCode=13)  # fmt: skip
            said = "document.getElementById('copied').textContent"
            await tab.run(COMES_TO.format(condition=said))
            asked = await tab.run("document.querySelector('.held code.type').textContent")
            assert asked.startswith("stocksync approve ")
            assert await tab.run(said) == f"{asked}: {word}"
            assert await tab.run("navigator.clipboard.readText()") == asked
            links = await tab.run("[...document.querySelectorAll('a.runbook')].map((one) => one.getAttribute('href'))")
            assert {"/runbook#stocksyncstale", "/runbook#stocksyncfailing", "/runbook#stocksyncheld"} <= set(links)
            await tab.open(site.url + "/runbook")
            for link in links:
                assert await tab.run(f"Boolean(document.getElementById('{link.partition('#')[2]}'))"), link
        # It is written in English, and says so in Arabic.
        assert await tab.run("document.querySelector('main > p').textContent.includes('بالإنجليزية')")
        assert await tab.run("document.querySelectorAll('main [lang=en][dir=ltr] h3').length") > 20
        assert tab.complaints == []
