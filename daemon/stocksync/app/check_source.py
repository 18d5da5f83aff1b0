"""`check`, Qoyod's part: credential, locations, the list, and whether the poll can keep its pace."""

import math
from collections.abc import Mapping
from datetime import timedelta

from stocksync.config import AccountConfig
from stocksync.core.answers import CheckResult, CheckState
from stocksync.core.health import SET_CLOCK, in_words, wrong_clock
from stocksync.core.model import Reading, Verdict
from stocksync.core.pace import READING_SHARE, reading_time
from stocksync.core.policy import LocationMap

WELL, WARNING, FAILED = CheckState.WELL, CheckState.WARNING, CheckState.FAILED


def location_result(name: str, places: LocationMap, found: Mapping[int, str]) -> CheckResult:
    """Hold the location map against the tenant's own locations."""
    part = f"{name}: locations"
    named = ", ".join(f"{location} {label}".strip() for location, label in sorted(found.items())) or "none"
    strange = sorted(places.map.keys() - found.keys())
    if strange:
        ids = ", ".join(str(location) for location in strange)
        what = f"locations.map names {ids}, which this tenant does not have; it has {named}"
        return CheckResult(part, FAILED, what, "correct the ids in locations.map, or use the key of the tenant meant")
    return CheckResult(part, WELL, f"{named}; see that they are yours")


def products_result(name: str, page: Reading, *, filtered: bool) -> CheckResult:
    """Judge the first page."""
    part = f"{name}: products"
    if page.verdict is Verdict.EMPTY:
        what = "Qoyod answers that it found nothing: the catalogue is empty, or this is the wrong key or filter"
        cure = "see that poll.filter fits a product" if filtered else "see that the key is of the tenant meant"
        return CheckResult(part, WARNING, what, cure)
    shown = len(page.products) + len(page.bad_rows)
    total = "an unknown number of" if page.total is None else page.total
    what = f"{total} products, {shown} on the first page"
    if not page.bad_rows:
        return CheckResult(part, WELL, what)
    what += f", {len(page.bad_rows)} of them unreadable: {page.bad_rows[0].reason}"
    return CheckResult(part, WARNING if page.products else FAILED, what, "unreadable products are set aside")


def pace_result(one: AccountConfig, total: int | None) -> CheckResult | None:
    """Tell where the list cannot be read within the interval or the deadline."""
    poll = one.poll
    pages = math.ceil((total or 0) / poll.per_page)
    needed, room = reading_time(total or 0, poll.per_page, poll.requests_per_minute), poll.deadline * READING_SHARE
    reading = (
        f"{total} products are {pages} page{'' if pages == 1 else 's'};"
        f" at {poll.requests_per_minute} requests a minute a poll takes {in_words(needed)}"
    )
    if needed > room:
        what = f"{reading}; poll.deadline leaves {in_words(room)}: each poll reads a part, and none is complete"
        cure = f"raise poll.deadline and poll.interval above {in_words(needed / READING_SHARE)}"
        return CheckResult(f"{one.name}: poll", FAILED, what, cure)
    if needed > poll.interval:
        what = f"{reading}: poll.interval = {in_words(poll.interval)} cannot be kept"
        return CheckResult(f"{one.name}: poll", WARNING, what, "raise poll.interval or poll.requests_per_minute")
    return None


def clock_result(name: str, skew: timedelta | None) -> CheckResult | None:
    """Tell of clocks that differ: figures are ordered and aged by ours."""
    what = wrong_clock(skew)
    return CheckResult(f"{name}: clock", WARNING, what, SET_CLOCK) if what else None
