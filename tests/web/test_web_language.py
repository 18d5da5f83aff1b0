"""Both languages say everything, with the same things filled in, and each writes figures and times its own way."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from string import Formatter

import pytest
from markupsafe import Markup

import stocksync.web
from stocksync.core.crosscheck import Check, verdict_on
from stocksync.core.cycle_plan import make_plan
from stocksync.core.drift import Cause
from stocksync.core.guards import Guard, GuardContext, Limits, exceeded
from stocksync.core.health import FAULTS
from stocksync.core.held_plan import Decision
from stocksync.core.model import Change, Removal, Verdict
from stocksync.core.policy import Policy, Rounding, settle, steps
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


CONTEXT = GuardContext("main", datetime(2026, 1, 1, tzinfo=UTC), 100, total=10, recent_totals=(100,))
BELOW_ZERO = "رقم واحد أقل من الصفر، وقاعدة policy.negative هي hold"
DIFFERENT = [Check.DIFFERENT, Check.SAME]


def made_by_the_core():
    """Give sentences that guards, cross-check and policy make."""
    for after, before in ((Decimal(0), Decimal(5)), (Removal.DELETED, Decimal(5)), (Decimal(6), Decimal(5))):
        changes = [Change(number, "MAIN", "A", before, after, ()) for number in range(70)]
        yield from exceeded(changes, Limits(), CONTEXT).values()
    for count in (1, 2):
        below = [Change(number, "MAIN", "A", None, Decimal(-1), ()) for number in range(count)]
        held = make_plan((), below, Limits(), replace(CONTEXT, total=None)).held
        yield held.reasons[Guard.NEGATIVE]
    yield verdict_on(DIFFERENT)
    for scale in (None, 2):
        for place in ("MAIN", ""):
            for step in steps(((3, Decimal(7)),), place, Policy(scale=scale), {3: "Riyadh"}):
                yield from (step.name, step.why)
    yield settle(Decimal("1.5"), Policy(scale=0, rounding=Rounding.REJECT)).refused


@pytest.mark.parametrize("sentence", sorted(set(made_by_the_core())))
def test_what_the_core_says_is_said_in_arabic_too(sentence):
    said = ARABIC.said(sentence)
    assert 'lang="en"' not in said, sentence
    assert re.search(r"[\u0600-\u06ff]", said)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("unknown: Qoyod no longer shows it, since 3 h 12 min ago", "غير معروف: لم يعد قيود يعرضه منذ ٣ س ١٢ د"),
        ("quarantined (target, 3 attempts): value too long", "معزول (الهدف، المحاولات ٣): value too long"),
        (
            "-5 is held by negative: 1 figure is below zero and policy.negative is hold; right: stocksync approve p1",
            f"-5 محجوز: سالب: {BELOW_ZERO}؛ إن كان صحيحًا فاكتب: stocksync approve p1",
        ),
    ],
)
def test_sentences_within_sentences_are_said_in_arabic(sentence, said):
    assert Markup(ARABIC.said(sentence)).striptags() == said
    assert ENGLISH.said(sentence).striptags() == sentence
    typed = '<code class="type" dir="ltr">stocksync approve p1</code>'
    assert all((typed in one.said(sentence)) == ("approve" in sentence) for one in (ENGLISH, ARABIC))


def test_what_a_database_says_stands_as_it_is_and_escaped():
    assert ARABIC.said("<b>no") == 'كما ورد: <bdi lang="en" dir="auto">&lt;b&gt;no</bdi>'
    assert "&lt;b&gt;" in ARABIC.said("unknown: Qoyod no longer shows it, since <b> ago")
