"""How much a reading proves: evidence of single pages in, a verdict and the pages in doubt out.

Ids are never reused and only grow, so a new product lands on the last page and a deleted one moves each
later row one place towards page 1. A row is therefore missed only where page k was read *before* page
k + 1. A boundary is tight where page k was asked for after page k + 1 had arrived (a moved row is then read
twice, and seen), or where page k, asked for again after that, still showed the same rows. Totals alone prove
less: a deletion and an insertion between two pages leave them as they were.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import ge

from stocksync.core.model import Verdict

_NAMED = 5

PageSpans = tuple[tuple[int, int], ...]
"""Page numbers as (first, last), ascending."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one page says about the whole; `sent` and `received` are ticks of one logical clock."""

    page: int
    """The number that was asked for."""
    echo: int | None = None
    total: int | None = None
    total_pages: int | None = None
    per_page: int | None = None
    ids: tuple[int | None, ...] = ()
    """As they came; None where a row's id could not be read."""
    sent: int = 0
    received: int = 0
    confirmed: int = 0
    """When a later request was sent that showed the same; 0 where there was none."""
    error: str = ""
    """Why the page could not be read."""
    nothing: bool = False
    """Answered with 404, "We found nothing"."""

    @property
    def says(self) -> tuple[int | None, int | None]:
        """Give what it says about the whole list: total and number of pages."""
        return self.total, self.total_pages

    def same(self, other: "Evidence") -> bool:
        """Whether two readings of one page showed the same rows of the same list."""
        return (self.echo, self.says, self.ids) == (other.echo, other.says, other.ids)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, its reasons for people, and what would be worth reading once more."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    doubtful: tuple[int, ...] = ()
    """Pages that contradict the others or themselves, or that the list has grown by."""
    seams: tuple[int, ...] = ()
    """Pages that were read before the one after them: they prove more when they show the same once more."""
    total: int | None = None
    """The catalogue's size, where all pages agree."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    reason: str
    pages: tuple[int, ...] = ()


def judge(pages: Iterable[Evidence], limit: int = 10_000) -> Judgement:
    """Judge a reading by its pages, one piece of evidence for each; at most `limit` pages count."""
    found = {evidence.page: evidence for evidence in pages}
    answered = [e for _, e in sorted(found.items()) if not e.error and not e.nothing]
    failed = [e for _, e in sorted(found.items()) if e.error]
    if not failed and not any(e.ids for e in answered) and not any(e.total for e in answered):
        return _barren(found)
    newest = max(answered, key=lambda e: e.received, default=Evidence(page=0))
    standing = [e for e in answered if e.ids or e.page <= (newest.total_pages or 0)]
    total = newest.total if len({e.says for e in standing}) == 1 else None
    if failed:
        return Judgement(Verdict.PARTIAL, _failures(failed), total=total)
    doubts = [*_alone(standing), *_span(found, newest, limit), *_together(standing, newest)]
    doubtful = sorted({page for doubt in doubts for page in doubt.pages if 1 <= page <= limit})
    seams = seams_of(standing)
    reasons = [doubt.reason for doubt in doubts]
    if seams and not reasons:
        reasons = [f"{_pages(seams)} read before the one after it and not confirmed since"]
    verdict = Verdict.INCONSISTENT if reasons else Verdict.COMPLETE
    return Judgement(verdict, tuple(reasons), tuple(doubtful), seams, total)


def seams_of(pages: Iterable[Evidence]) -> tuple[int, ...]:
    """Name the pages that were neither asked for nor confirmed after the one after them had arrived."""
    ordered = sorted(pages, key=lambda e: e.page)
    return tuple(
        a.page for a, b in pairwise(ordered) if b.page == a.page + 1 and max(a.sent, a.confirmed) <= b.received
    )


def _barren(found: dict[int, Evidence]) -> Judgement:
    """Judge pages of which none holds a row or claims that there are any."""
    first = found.get(1)
    if first is None:
        return Judgement(Verdict.PARTIAL, ("page 1 was not read",))
    if first.nothing or first.total == 0:
        return Judgement(Verdict.EMPTY, ("Qoyod found nothing",), total=0)
    return Judgement(Verdict.INCONSISTENT, ("page 1 holds no rows and no readable pagination",), doubtful=(1,))


def spans_of(pages: Iterable[int]) -> PageSpans:
    """Give page numbers as spans."""
    spans: list[tuple[int, int]] = []
    for page in sorted(set(pages)):
        if spans and spans[-1][1] == page - 1:
            spans[-1] = (spans[-1][0], page)
        else:
            spans.append((page, page))
    return tuple(spans)


def still_to_read(due: PageSpans, unread: Collection[int]) -> PageSpans:
    """Give what the next reading begins with: what is left of the pages due before, and only then all that are left.

    In this way each page has its turn, however few of them one reading has time for.
    """
    left = [page for page in unread if within(due, page)]
    return spans_of(left or unread)


def within(spans: PageSpans, page: int) -> bool:
    """Whether a page is in one of the spans."""
    return any(first <= page <= last for first, last in spans)


def _failures(failed: Sequence[Evidence]) -> tuple[str, ...]:
    alike: dict[str, list[int]] = {}
    for evidence in failed:
        alike.setdefault(evidence.error, []).append(evidence.page)
    named = [f"{_pages(pages)}: {error}" for error, pages in list(alike.items())[:_NAMED]]
    more = len(failed) - sum(len(pages) for pages in list(alike.values())[:_NAMED])
    return (*named, f"and {more} more pages") if more else tuple(named)


def _alone(standing: Sequence[Evidence]) -> Iterator[_Doubt]:
    """Doubt pages for what they say of themselves."""
    checks = (
        ("without readable pagination", [e.page for e in standing if None in e.says]),
        ("that do not echo their number", [e.page for e in standing if e.echo != e.page]),
        ("with a row whose id cannot be read", [e.page for e in standing if None in e.ids]),
    )
    for what, pages in checks:
        if pages:
            yield _Doubt(f"{_pages(pages)} {what}", tuple(pages))


def _span(found: dict[int, Evidence], newest: Evidence, limit: int) -> Iterator[_Doubt]:
    """Doubt pages that should have been there."""
    last = newest.total_pages or 0
    if last > limit:
        yield _Doubt(f"{last} pages are more than the {limit} that are read")
        last = 0
    missing = tuple(n for n in range(1, last + 1) if n not in found)
    if missing:
        yield _Doubt(f"{_pages(missing)} not read", missing)
    nothing = tuple(e.page for e in found.values() if e.nothing and e.page <= last)
    if nothing:
        yield _Doubt(f"{_pages(nothing)} answered that nothing was found", nothing)


def _together(standing: Sequence[Evidence], newest: Evidence) -> Iterator[_Doubt]:
    """Doubt pages for how they fit together."""
    other = tuple(e.page for e in standing if e.says != newest.says)
    if other:
        seen = sorted({e.total for e in standing if e.total is not None})
        yield _Doubt(f"{_pages(other)} of another list than the newest (totals {seen[:_NAMED]})", other)
    (total, last), size = newest.says, newest.per_page
    if total is not None and last is not None:
        if size is not None and max(1, -(-total // max(1, size))) != max(1, last):
            yield _Doubt(f"{last} pages of {size} do not fit {total} products")
        rows = sum(len(e.ids) for e in standing)
        if rows != total:
            # Every page is full, but the last one that holds the rest.
            odd = [
                e.page
                for e in standing
                if size is not None and len(e.ids) != max(0, min(size, total - size * (e.page - 1)))
            ]
            yield _Doubt(f"{rows} rows read of {total}", tuple(odd))
    yield from _order(standing)


def _order(standing: Sequence[Evidence]) -> Iterator[_Doubt]:
    """Doubt pages whose ids do not ascend, with the later ones that were read before the shift."""
    highest, holder = 0, None
    doubtful: set[int] = set()
    broken: list[int] = []
    for evidence in standing:
        ids = [id_ for id_ in evidence.ids if id_ is not None]
        if any(map(ge, [highest, *ids], ids)):
            broken.append(evidence.page)
            before = holder or evidence
            seen = max(before.received, evidence.received)
            doubtful |= {evidence.page} | {e.page for e in standing if e.page >= before.page and e.received < seen}
        if (last := max(ids, default=0)) > highest:
            highest, holder = last, evidence
    if broken:
        yield _Doubt(f"{_pages(broken)} with ids that do not ascend", tuple(sorted(doubtful)))


def _pages(pages: Sequence[int]) -> str:
    named = ", ".join(str(page) for page in pages[:_NAMED])
    more = f" and {len(pages) - _NAMED} more" if len(pages) > _NAMED else ""
    return f"page{'s' if len(pages) > 1 else ''} {named}{more}"
