"""Both languages say everything, with the same things filled in, and each writes figures and times its own way."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from string import Formatter

import pytest

import stocksync.web
from stocksync.core.drift import Cause
from stocksync.core.guards import Guard
from stocksync.core.health import FAULTS
from stocksync.core.held_plan import Decision
from stocksync.core.model import Removal, Verdict
from stocksync.core.report import Outcome
from stocksync.core.status import Side
from stocksync.web.language import LANGUAGES, choose
from stocksync.web.texts import CATALOGUE

ROOM = Path(stocksync.web.__file__).parent
ENGLISH, ARABIC = LANGUAGES["en"], LANGUAGES["ar"]


def fields(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_no_language_lacks_a_text_nor_something_to_fill_in():
    english, arabic = CATALOGUE["en"], CATALOGUE["ar"]
    assert english.keys() == arabic.keys()
    for key, text in english.items():
        # A sentence that says "1" needs no number beside it.
        assert fields(arabic[key]) <= fields(text), key
        assert fields(text) - fields(arabic[key]) <= {"ill", "count", "words"}, key
        assert re.search(r"[\u0600-\u06ff]", arabic[key]) or key == "language", f"{key} is no Arabic"


def test_what_the_pages_ask_for_is_there_and_nothing_else_is_kept():
    sources = [
        path.read_text() for path in (*ROOM.glob("*.py"), *ROOM.glob("templates/*.html")) if path.name != "texts.py"
    ]
    written = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)*)"', "\n".join(sources).replace('"*', '"')))
    built = {"word", "cause", "guard", "side", "outcome", "verdict", "change", "decision", "well"}
    known = CATALOGUE["en"].keys()
    texts = {each for source in sources for each in re.findall(r'\b(?:t|text)\(\s*"([^"]+)"(?! ~)', source)}
    assert {each for each in texts if not each.endswith(".")} <= known
    unused = {key for key in known if key not in written and key.partition(".")[0] not in built}
    assert unused == set()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("word", [*FAULTS, "fresh"]),
        ("cause", [each.value for each in Cause]),
        ("guard", [each.value for each in Guard]),
        ("side", [each.value for each in Side]),
        ("outcome", [*(each.value for each in Outcome), "running"]),
        ("verdict", [each.value for each in Verdict]),
        ("change", [each.value for each in Removal]),
        ("decision", [each.value for each in Decision]),
    ],
)
def test_every_value_of_ours_has_a_word(kind, names):
    assert {f"{kind}.{name}" for name in names} <= CATALOGUE["en"].keys()


def test_figures_lengths_of_time_and_instants_are_written_for_each():
    at = datetime(2026, 8, 31, 9, 5, 7, tzinfo=UTC)
    assert [ENGLISH.number(each) for each in (1234567, 21.44, Decimal("-1234.50"))] == ["1,234,567", "21.4", "-1,234.5"]
    assert [ARABIC.number(each) for each in (1234567, 21.44)] == [
        "\u0661\u066c\u0662\u0663\u0664\u066c\u0665\u0666\u0667", "\u0662\u0661\u066b\u0664",
    ]  # fmt: skip
    assert (ENGLISH.span(timedelta(hours=3, minutes=12)), ARABIC.span(timedelta(hours=3, minutes=12))) == (
        "3 h 12 min", "\u0663 س \u0661\u0662 د",
    )  # fmt: skip
    assert 'datetime="2026-08-31T09:05:07+00:00"' in ARABIC.moment(at)
    assert ">\u0660\u0669:\u0660\u0665:\u0660\u0667 UTC<" in ARABIC.clock(at)
    assert ">2026-08-31 09:05:07 UTC<" in ENGLISH.moment(at)
    assert (str(ENGLISH.figure(None)), str(ARABIC.figure(Removal.DELETED))) == ("unknown", "حُذف")
    assert str(ENGLISH.text("ago", span="<b>")) == "&lt;b&gt; ago"


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "code"),
    [
        ("", "", "", "en"),
        ("", "", "ar-SA,ar;q=0.9,en;q=0.8", "ar"),
        ("", "", "en-GB, ar;q=0.5", "en"),
        ("", "", "fr, ar;q=0.4, en;q=0.3", "ar"),
        ("", "", "ar;q=0, en;q=0.1", "en"),
        ("", "", "de, *;q=0.1", "en"),
        ("", "", ";;;q=x,ar", "ar"),
        ("", "en", "ar", "en"),
        ("ar", "en", "en", "ar"),
        ("klingon", "", "ar", "ar"),
    ],
)
def test_the_language_is_the_switchs_then_the_last_ones_then_the_browsers(asked, kept, accepted, code):
    assert choose(asked, kept, accepted).code == code


async def test_the_page_speaks_arabic_from_right_to_left_and_keeps_what_was_chosen(site):
    async with site.session.get(site.url + "/", headers={"Accept-Language": "ar"}) as answer:
        page = await answer.text()
    assert '<html lang="ar" dir="rtl">' in page
    assert "الحساب حديث" in page
    assert 'href="/?lang=en" lang="en"' in page
    assert (answer.headers["Content-Language"], "Accept-Language" in answer.headers["Vary"]) == ("ar", True)
    async with site.session.get(site.url + "/?lang=ar") as answer:
        assert "SameSite=Strict" in answer.headers["Set-Cookie"]
    async with site.session.get(site.url + "/stock?sku=BW-001", cookies={"stocksync_language": "ar"}) as answer:
        shown = await answer.text()
    assert 'dir="rtl"' in shown
    assert 'href="/stock?sku=BW-001&amp;lang=en"' in shown
