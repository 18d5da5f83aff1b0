"""Whatever our own code says on a page is said in Arabic there: a new sentence without its translation fails here."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from markupsafe import Markup

import stocksync
from stocksync.arabic.sentence_texts import ARABIC as TEXTS
from stocksync.observe.notice_message import Words
from stocksync.web.language import LANGUAGES

PACKAGE = Path(stocksync.__file__).parent
ARABIC = LANGUAGES["ar"]
SPEAK = [
    *(PACKAGE / room for room in ("core", "qoyod", "targets", "state", "run")),
    *(PACKAGE / name for name in ("errors.py", "file_identity.py", "sqlengine.py")),
    *(PACKAGE / "app" / f"{name}.py" for name in ("awaited_state", "suggestions", "fleet_products", "products")),
    *(PACKAGE / "web" / f"{name}.py" for name in ("access", "waiting", "query", "server", "lookups")),
]
"""Who makes sentences that reach a page: as the reason of a reading, a row or an error, or as an answer."""
NOT_SHOWN = {
    "core/held_plan.py": "what `approve` and `reject` answer; the page counts a plan's changes itself",
    "core/health.py": "`status` and readiness say it; the page judges alike and says it by its own catalogue",
    "core/jsonable.py": "a mistake in our code",
    "core/proposal.py": "`init` asks so",
    "run/watchdog.py": "the log",
    "targets/notes.py": "the log and `check`",
    "targets/own_sql.py": "the configuration, before anything runs",
    "targets/own_table.py": "`check`",
    "targets/rehearsal.py": "`check`",
    "targets/rights.py": "`check`",
    "targets/statement_rehearsal.py": "`check`",
    "targets/trials.py": "`check`",
}
SEEN_ELSEWHERE = {
    "core/budget.py: a budget needs at least one request a minute": "a mistake in our code",
    "qoyod/many.py: asking one by one": "the log",
    "qoyod/many.py: it did not show {}, which is there": "the log",
    "qoyod/many.py: {} SKUs were asked for, and Qoyod shows {} products": "the log",
    "run/remember.py: {}, the target made {} of it": "the log",
    "run/runner.py: the one before is still running": "the log",
    "state/approvals.py: the figures of plan {} have changed since they were shown: look again": "`approve`",
    "state/feed.py: {}: the ledger has no row {} (any more), so changes behind it may be missing: read all stock anew, "
    "then go on from 0": "the feed",
    "state/feed.py: {}: no poll has read it to its end yet, so nobody knows what stands in its target": "`levels`",
    "state/feed.py: {}: the ledger reaches back to {} UTC: it begins with the account's first cycle, and "
    "state.keep_ledger says how long it is kept": "`levels`",
    "targets/after_batch.py: {} changes rows of ours": "`check`",
    "targets/live.py: column {} looks as if it marked deleted rows": "`check`",
    "targets/live.py: its unique index {} holds only for some rows": "`check`",
    'targets/live.py: {}: {}: figures may go into rows that were deleted; keep them out with live = "{}"': "`check`",
    "targets/reflect.py: it is generated: the database alone fills it": "the log and `check`",
    "targets/reflect.py: {}: column {} is not written: {}": "the log and `check`",
    "targets/statements.py: {}.statements.write: it is needed": "the configuration, before anything runs",
    "web/lookups.py: give the parameters in the body or in the address, not in both": "/api/refresh",
    'web/lookups.py: skus: a list of SKUs, each as text: ["A", "B"]': "/api/refresh",
    "web/lookups.py: skus: at most {} characters each": "/api/refresh",
    "web/lookups.py: skus: at most {} in one request": "/api/refresh",
    "web/lookups.py: skus: at most {} in one request (got {})": "/api/refresh",
    'web/lookups.py: the body is an object: {"account": "main", "skus": ["A", "B"]}': "/api/refresh",
    "web/lookups.py: the body is no JSON: {}": "/api/refresh",
    "web/server.py: http.listen: cannot listen on {}:{}: {}; choose another, or end what listens there": "the terminal",
    "web/server.py: the event loop last turned {} s ago": "/livez",
    "web/server.py: the event loop turns, but {}: restart stocksync": "/livez",
}
"""Whole sentences, and where they are read."""
MADE_OF_PARTS = {
    "app/awaited_state.py: the process that holds the state":
        "waiting for the process that holds the state since 2026-11-29 09:10:21 UTC (3 min): the state /s.db is in "
        "use by "
        "process 7; stop it; the next try is at 2026-11-29 09:13:21 UTC, and polling begins by itself once it is there",
    "app/awaited_state.py: the state database":
        "waiting for the state database since 2026-11-29 09:10:21 UTC (3 min): it has not answered yet; the first "
        "try is "
        "under way, and polling begins by itself once it is there",
    "app/suggestions.py: , in none of the accounts {}":
        "Qoyod knows no product with the SKU 'A', in none of the accounts x, y; did you mean B?",
    "app/suggestions.py: the snapshot knows": "the snapshot knows no product with the id 7",
    "app/suggestions.py: {} no product with {}": "Qoyod knows no product with the id 7",
    "core/completeness.py: that do not echo their number": "page 7 that do not echo their number; 5 rows read of 7",
    "core/completeness.py: with a row whose id cannot be read":
        "pages 7, 8 and 5 more with a row whose id cannot be read",
    "core/completeness.py: without readable pagination": "pages 7, 8 without readable pagination",
    "core/near_sku.py: product {}, which has no SKU (stocksync stock --id {})":
        "did you mean product 7, which has no SKU (stocksync stock --id 7)?",
    "core/near_sku.py: {} (the SKU of product {})": "did you mean A (the SKU of product 7)?",
    "file_identity.py: : stop stocksync, put the file in its place, start it again":
        "s.db was removed or replaced while it was in use: stop stocksync, put the file in its place, start it again",
    "file_identity.py: {} was removed or replaced while it was in use{}":
        "s.db was removed or replaced while it was in use",
    "qoyod/proxy.py: asks for a user and a password, or refuses ours":
        "the proxy p:3128 asks for a user and a password, or refuses ours; check the account's proxy",
    "qoyod/proxy.py: the proxy {}:{} {}; check the account's proxy":
        "the proxy p:3128 answered 502; check the account's proxy",
    "qoyod/secret.py: check the account's auth section":
        "the secret could not be read (KeyError): check the account's auth section",
    "qoyod/transport.py: base_url and the network":
        "no connection to h.example: connection refused; check base_url and the network",
    "qoyod/wire.py: more than {} rows could not be read, the first at {}: {}":
        "page 7: more than 7 rows could not be read, the first at $.products[0]: Object missing required field `id`",
    "run/explain.py: deleted in Qoyod, confirmed {}": "deleted in Qoyod, confirmed 7 min ago",
    "run/lookup.py: Qoyod answered {} with SKU {}: that is another product":
        "Qoyod answered the id 7 with SKU 'A': that is another product",
    "run/lookup.py: Qoyod knows no product with {}": "Qoyod knows no product with the SKU 'A'",
    "run/lookup.py: the id {}": "the snapshot knows no product with the id 7",
    "run/lookup.py: the snapshot knows no product with {}":
        "Qoyod does not answer; the snapshot knows no product with the id 7",
    "run/remarks.py: unknown: Qoyod no longer shows it, since {}": "unknown: Qoyod no longer shows it, since 3 h ago",
    "run/remarks.py: {} was written, and the target made {} of it":
        "altered_by_target: 5 was written, and the target made 6 of it (a trigger, or the column's type)",
    "sqlengine.py: {}: no driver for {}; pip install 'stocksync[{}]'":
        "state.url: no driver for mysql; pip install 'stocksync[mysql]'",
    "state/migrate.py: the state database has no tables of stocksync yet; {}":
        "the state database has no tables of stocksync yet; type: stocksync migrate",
    "state/migrate.py: the state database is behind: it has schema {}, needed is {}; {}":
        "the state database is behind: it has schema 1, needed is 2; type: stocksync migrate",
    "targets/after_batch.py: the statement fails, so nothing of the batch is written: {}":
        "accounts.main.target.after_batch: the statement fails, so nothing of the batch is written: no; see "
        "`stocksync check`",
    "targets/after_batch.py: the statement changes rows that the batch has written, so nothing of it is kept":
        "accounts.main.target.after_batch: the statement changes rows that the batch has written, so nothing of it is "
        "kept; see `stocksync check`",
    "targets/blockers.py: , which holds the row": "waits for session 7, which holds the row",
    "targets/blockers.py: waits for {}": "waits for session 7, which holds the row",
    "targets/faults.py: another program holds the database":
        "accounts.main.target: another program holds the database: locked",
    "targets/faults.py: the database does not answer": "accounts.main.target: the database does not answer: gone",
    "targets/faults.py: the server takes no writes at present":
        "accounts.main.target: the server takes no writes at present: read-only",
    "targets/faults.py: {}: {}; has the table been changed?{}":
        "accounts.main.target: gone; has the table been changed?; see `stocksync check`",
    "targets/mapping.py: , did you mean {}?":
        "accounts.main.target.table: there is no table 'a', did you mean 'b'? (there is: b)",
    "targets/statement_batch.py: the target takes {} for one row; give one of them another SKU":
        "the target takes 'a and b' and 'A and b' (products 7 and 8) for one row; give one of them another SKU",
    "web/waiting.py: the state database cannot be read; the target keeps its figures, and polling goes on by itself "
    "once it is back":
        "the state database cannot be read; the target keeps its figures, and polling goes on by itself "
        "once it is back: the state database cannot be used now: no",
    "web/waiting.py: the first try is under way":
        "waiting for the state database since 2026-11-29 09:10:21 UTC (3 min): it does not answer; the first try "
        "is under "
        "way, and polling begins by itself once it is there",
    "web/waiting.py: waiting for {} since {}: {}; {}, and polling begins by itself once it is there":
        "waiting for the state database since 2026-11-29 09:10:21 UTC (3 min): it is closed; the next try is at "
        "2026-11-29 "
        "09:13:21 UTC, and polling begins by itself once it is there",
}  # fmt: skip
"""Parts of sentences, and a sentence made of each as the code makes it."""
MADE_BY_THE_CORE = {
    "core/cycle_plan.py: {} below zero and policy.negative is hold",
    "core/guards.py: dropped to zero",
    "core/guards.py: the catalogue fell {} products, the limit is {}",
    "core/guards.py: {} of {} cells{} {}, the limit is {}",
    "core/policy.py: keeps any number",
    "core/policy.py: policy.rounding = {}, the column {}",
    "run/remarks.py: {} \u2192 {} is held by {}",
    "run/remarks.py: {}: {} (a trigger, or the column's type)",
    "run/remarks.py: {}; right: stocksync approve {}",
    "web/waiting.py: the next try is at {}",
}
"""What test_web_language has the core make, or what stands above in another sentence."""
COMMANDS = {"stocksync", "pip"}
FILLINGS = ("7", "pages 7, 8", "401", "$.a", "1 h 2 min", "w")
ASIDE = re.compile(
    # SQL, and patterns of what others say.
    r"\b[A-Z]{3,} .*\b(FROM|SESSION|TABLE|INTO|SET|CONDITION|CASE|VIEW)\b|extract\(|\(\?|\\|\]\+|"
    r"unable to open|no such|syntax error|record layer"
)


def text_of(node: ast.AST) -> str | None:
    """Give a text of the code, with a gap for each value that is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def sentences(path: Path) -> Iterator[str]:
    """Find what reads like a sentence: several small words, and no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    seen = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = text_of(node) if id(node) not in seen else None
        if text is None:
            continue
        seen |= {id(inner) for inner in ast.walk(node)}
        text = " ".join(text.split())
        if len(re.findall(r"[a-z]{2,}(?= )", text)) >= 2 and not ASIDE.search(text):
            yield text.strip("; ")


def all_sentences() -> Iterator[str]:
    for place in SPEAK:
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            name = path.relative_to(PACKAGE).as_posix()
            if name not in NOT_SHOWN:
                yield from (f"{name}: {text}" for text in sentences(path))


def left_in_english(sentence: str) -> str:
    """Give the words of a sentence that a page in Arabic shows in English, however its gaps are filled; "" for none."""
    left = ""
    for filling in FILLINGS:
        said = Markup(ARABIC.said(sentence.replace("{}", filling))).striptags()
        pairs = [pair for part in sentence.split("{}") for pair in re.findall(r"[a-z]{2,}(?= [a-z]{2,})", part)]
        left = ", ".join(word for word in pairs if word not in COMMANDS and re.search(rf"\b{word} [a-z]", said))
        if not left and re.search(r"[\u0600-\u06ff]", said):
            return ""
    return left or "all of it"


FOUND = frozenset(all_sentences())


@pytest.mark.parametrize("named", sorted(FOUND - SEEN_ELSEWHERE.keys() - MADE_BY_THE_CORE))
def test_whatever_our_code_says_on_a_page_is_said_in_arabic(named):
    assert left_in_english(MADE_OF_PARTS.get(named, named.partition(": ")[2])) == ""


def test_no_sentence_is_left_out_that_is_not_there():
    assert (SEEN_ELSEWHERE.keys() | MADE_OF_PARTS.keys() | MADE_BY_THE_CORE) <= FOUND
    assert all((PACKAGE / name).is_file() for name in NOT_SHOWN)


def test_every_form_is_filled_with_the_same_things():
    for english, arabic in TEXTS.items():
        fields = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (english, arabic)]
        assert fields[0] == fields[1], english


SAMPLES = {
    "pages": "pages 3, 4 and 12 more", "numbers": "3, 4", "side": "target", "span": "1 d 2 h", "spot": "$.p[1]",
    "change": "nothing → deleted", "before": "nothing", "after": "deactivated", "sent": "-7", "made": "nothing",
    "reason": "page 3 not read", "why": "a limit was exceeded", "words": "connection refused", "status": "401",
    "near": "A, product 7, which has no SKU (stocksync stock --id 7) or B (the SKU of product 8)", "value": "'A'",
}  # fmt: skip
"""Parts as the code makes them; any other is "7"."""
WRITTEN_AS_THEY_ARE = {"stocksync", "stock", "id"}


def small_words(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w.\[])[a-z]{2,}(?!\w)", text))


@pytest.mark.parametrize(
    "said", [lambda sentence: Markup(ARABIC.said(sentence)).striptags(), Words("ar").said], ids=["page", "notice"]
)
def test_of_no_sentence_is_a_part_left_in_english(said):
    left = {}
    for english, arabic in TEXTS.items():
        sentence = english.format_map(defaultdict(lambda: "7", SAMPLES))
        # Names of settings, and commands, stand as they are.
        allowed = small_words(arabic) | WRITTEN_AS_THEY_ARE
        if words := small_words(sentence) & small_words(said(sentence)) - allowed:
            left[sentence] = words
    assert left == {}


def test_what_is_wrong_with_a_row_is_said_in_words_and_where_it_is_beside_it():
    raw = "$.products[10].inventories[0]: Object missing required field `stock`"
    for speak, words in ((LANGUAGES["en"], "the field stock is missing"), (ARABIC, "ينقصه الحقل stock")):
        said = speak.said(raw)
        assert said.startswith(f'<span title="{raw}">')
        assert Markup(said).striptags() == words
    assert 'title="$.a: &lt;b&gt;"' in LANGUAGES["en"].said("$.a: <b>")


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("Qoyod's answer could not be understood (Input data was truncated): ",
         "تعذّر فهم جواب قيود (انقطع الجواب قبل نهايته): "),
        ("page 3: not read in time; the next reading goes on there; Qoyod found nothing",
         "الصفحة \u0663: لم تُقرأ في الوقت؛ تواصل القراءة التالية من هناك؛ لم يجد قيود شيئًا"),
    ],
)  # fmt: skip
def test_reasons_as_they_come_from_a_real_reading_are_arabic(sentence, said):
    assert Markup(ARABIC.said(sentence)).striptags() == said.strip()


@pytest.mark.parametrize("part", ["column 'a': ", "pages 3: ", "quarantined (target, 3 attempts): ", "a; "])
def test_a_sentence_without_an_end_is_cut(part):
    for speak in LANGUAGES.values():
        assert len(Markup(speak.said(part * 10_000)).striptags()) < 2_000
        assert speak.value(part * 10_000)


def test_what_others_say_stands_as_it_is_after_words_of_ours():
    said = ARABIC.said("accounts.main.target: the database refuses: no <b>; sorry; see `stocksync check`")
    assert '<bdi lang="en" dir="auto">no &lt;b&gt;</bdi>' in said
    assert Markup(said).striptags().endswith("؛ انظر stocksync check")
    assert ARABIC.said("pages 3, 4 and 2 more: Qoyod answered 500: oops; no").count("<bdi lang") == 1
    nested = "column 'sku': 'a' has a letter that the column's character set latin1 lacks"
    assert Markup(ARABIC.said(nested)).striptags().startswith("العمود 'sku': في 'a' حرف")
    said = Markup(ARABIC.said("page 3 not read; 5 rows read of 7")).striptags()
    assert said == "الصفحة \u0663: لم تُقرأ؛ قُرئ \u0665 من \u0667 صفًّا"
