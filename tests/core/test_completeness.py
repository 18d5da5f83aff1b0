"""The verdict: what proves a reading, and what each lie of a server is called."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocksync.core.completeness import Evidence, Judgement, judge, spans_of, still_to_read, within
from stocksync.core.model import Verdict

SIZE = 2


def pages_of(ids: list[int], size: int = SIZE) -> list[Evidence]:
    """Read a still catalogue from its last page to its first."""
    last = max(1, -(-len(ids) // size))
    return [
        Evidence(
            page, echo=page, total=len(ids), total_pages=last, per_page=size,
            ids=tuple(ids[size * (page - 1) : size * page]), sent=2 * (last - page) + 1, received=2 * (last - page) + 2,
        )
        for page in range(1, last + 1)
    ]  # fmt: skip


def test_a_still_catalogue_is_complete() -> None:
    judged = judge(pages_of([1, 2, 3, 5, 8]))
    assert (judged.verdict, judged.reasons, judged.total) == (Verdict.COMPLETE, (), 5)


def test_found_nothing_on_page_1_is_empty() -> None:
    assert judge([Evidence(1, nothing=True)]).verdict is Verdict.EMPTY
    assert judge([Evidence(1, echo=1, total=0, total_pages=0, per_page=SIZE)]).verdict is Verdict.EMPTY


def test_no_rows_on_page_1_of_a_catalogue_that_has_some_is_not_empty() -> None:
    judged = judge([Evidence(1, echo=1, total=40, total_pages=20, per_page=SIZE)])
    assert judged.verdict is Verdict.INCONSISTENT
    assert judge([Evidence(1, echo=1)]).verdict is Verdict.INCONSISTENT
    assert judge([]).verdict is Verdict.PARTIAL


@pytest.mark.parametrize(
    ("page", "change", "reason", "doubtful"),
    [
        (2, {"echo": 1}, "echo", (2,)),
        (2, {"echo": None}, "echo", (2,)),
        (2, {"total": None}, "pagination", (2,)),
        (2, {"total_pages": None}, "pagination", (2,)),
        (2, {"ids": (3, None)}, "cannot be read", (2,)),
        (2, {"ids": (4, 3)}, "do not ascend", (2, 3)),
        (2, {"ids": (3, 3)}, "do not ascend", (2, 3)),
        (2, {"ids": (1, 2)}, "do not ascend", (2, 3)),
        (2, {"ids": (3,)}, "5 rows read of 6", (2,)),
        (2, {"ids": (), "nothing": True}, "nothing was found", (2,)),
        (3, {"total": 5}, "totals", (3,)),
    ],
)
def test_each_contradiction_is_named_and_located(page, change, reason, doubtful) -> None:
    pages = pages_of([1, 2, 3, 4, 5, 6])
    pages[page - 1] = replace(pages[page - 1], **change)
    judged = judge(pages)
    assert judged.verdict is Verdict.INCONSISTENT
    assert reason in " ".join(judged.reasons)
    assert set(doubtful) <= set(judged.doubtful)


def test_a_missing_page_is_doubtful_and_a_failed_one_makes_the_reading_partial() -> None:
    pages = pages_of([1, 2, 3, 4, 5, 6])
    assert judge([pages[0], pages[2]]).doubtful == (2,)
    judged = judge([pages[0], Evidence(2, error="timed out"), pages[2]])
    assert (judged.verdict, judged.reasons, judged.doubtful) == (Verdict.PARTIAL, ("page 2: timed out",), ())


def test_total_pages_that_do_not_fit_the_total_are_a_contradiction() -> None:
    pages = [replace(page, total_pages=3) for page in pages_of([1, 2, 3, 4])]
    assert judge(pages).verdict is Verdict.INCONSISTENT
    assert judge(pages_of([1, 2, 3, 4, 5, 6]), limit=2).verdict is Verdict.INCONSISTENT


def test_a_page_read_before_its_successor_needs_to_show_the_same_again() -> None:
    first, second = pages_of([1, 2, 3, 4])
    early = replace(first, sent=0, received=0)
    doubted = judge([early, second])
    assert (doubted.verdict, doubted.seams, doubted.doubtful) == (Verdict.INCONSISTENT, (1,), ())
    assert judge([replace(early, confirmed=9), second]).verdict is Verdict.COMPLETE


def test_a_deletion_hidden_by_an_insertion_is_not_called_complete() -> None:
    """Page 1 is read, 1 is deleted and 9 created, page 2 is read: 3 moved up and nobody read it."""
    before, after = [1, 2, 3, 4], [2, 3, 4, 9]
    first = replace(pages_of(before)[0], sent=1, received=2)
    second = replace(pages_of(after)[1], sent=3, received=4)
    assert 3 not in {*first.ids, *second.ids}
    assert judge([first, second]).seams == (1,)
    assert judge([first, second]).verdict is Verdict.INCONSISTENT


def test_the_reasons_stay_short_where_everything_is_wrong() -> None:
    pages = [replace(page, echo=1) for page in pages_of(list(range(1, 400)))]
    assert all(len(reason) < 200 for reason in judge(pages).reasons)
    failures = [Evidence(n, error=f"reset {n}") for n in range(1, 300)]
    assert len(judge(failures).reasons) == 6
    alike = [Evidence(n, error="reset") for n in range(1, 300)]
    assert judge(alike).reasons == ("pages 1, 2, 3, 4, 5 and 294 more: reset",)


class _Shop:
    """A catalogue that changes while its pages are read in any order, overlapping."""

    def __init__(self, random: Random, size: int) -> None:
        self.random, self.size = random, size
        self.ids = sorted(random.sample(range(1, 60), random.randint(1, 14)))
        self.tick = 0
        self.always = set(self.ids)

    def trade(self) -> None:
        while self.random.random() < 0.4:
            if self.random.random() < 0.5 and self.ids:
                gone = self.random.choice(self.ids)
                self.ids.remove(gone)
                self.always.discard(gone)
            else:
                self.ids.append(max([60, *self.ids]) + 1)

    def read(self, page: int) -> Evidence:
        shown = tuple(self.ids[self.size * (page - 1) : self.size * page])
        self.tick += 1
        sent = self.tick
        self.tick += 1
        last = max(1, -(-len(self.ids) // self.size))
        return Evidence(page, page, len(self.ids), last, self.size, shown, sent, self.tick, nothing=not shown)


@settings(max_examples=1500, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 4))
def test_no_complete_verdict_misses_a_product_that_was_there_throughout(seed: int, size: int) -> None:
    random = Random(seed)
    shop = _Shop(random, size)
    evidence: dict[int, Evidence] = {}
    wanted = [1]
    for _ in range(40):
        if not wanted:
            break
        page = wanted.pop(random.randrange(len(wanted)))
        now = shop.read(page)
        before = evidence.get(page)
        evidence[page] = replace(before, confirmed=now.sent) if before and before.same(now) else now
        shop.trade()
        if len(evidence) == 1 and not wanted:
            wanted = list(range(2, (now.total_pages or 1) + 1))
        if not wanted:
            judged = judge(evidence.values())
            wanted = [*judged.doubtful, *judged.seams]
    judged = judge(evidence.values())
    if judged.verdict is Verdict.COMPLETE:
        read = {id_ for page in evidence.values() if page.page <= 99 for id_ in page.ids}
        assert shop.always <= read
        assert judged.total == len([i for page in evidence.values() if not page.nothing for i in page.ids])


def test_pages_are_spans_and_those_that_were_due_come_first():
    assert spans_of([7, 2, 3, 3, 1, 9, 10]) == ((1, 3), (7, 7), (9, 10))
    assert spans_of([]) == ()
    assert [within(((2, 3), (7, 7)), page) for page in range(1, 9)] == [
        False, True, True, False, False, False, True, False,
    ]  # fmt: skip
    assert still_to_read(((1, 4),), [3, 4, 8]) == ((3, 4),)
    assert still_to_read(((1, 2),), [3, 4, 8]) == ((3, 4), (8, 8))


@pytest.mark.parametrize(
    ("page", "judgement"),
    [
        (Evidence(2, nothing=True), Judgement(Verdict.PARTIAL, ("page 1 was not read",))),
        (Evidence(1, nothing=True), Judgement(Verdict.EMPTY, ("Qoyod found nothing",), total=0)),
        (Evidence(1, echo=1, total=0), Judgement(Verdict.EMPTY, ("Qoyod found nothing",), total=0)),
        (
            Evidence(1),
            Judgement(Verdict.INCONSISTENT, ("page 1 holds no rows and no readable pagination",), doubtful=(1,)),
        ),
    ],
)
def test_a_list_without_a_row_is_judged_by_its_first_page(page, judgement):
    assert judge([page]) == judgement
