"""Which schedules there should be, and what to do about those there are: values in, steps out."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from stocksync.core.fleet_status import ScheduleStep, Verb
from stocksync.core.health import in_words
from stocksync.fleet.job import AUDIT, POLL, Job
from stocksync.run.scheduler import place_of

_SECOND = timedelta(seconds=1)
OURS = "stocksync: "
"""Begins the note of a schedule that nobody but us has paused or resumed."""
PAUSED = f"{OURS}paused while a file of accounts_dir is faulty: stocksync check"


@dataclass(frozen=True, slots=True)
class Timing:
    """When an account is polled and audited, as it is configured."""

    account: str
    interval: timedelta
    jitter: timedelta
    deadline: timedelta
    audit_interval: timedelta


@dataclass(frozen=True, slots=True)
class Wanted:
    """A schedule as it should be; Temporal counts in whole seconds."""

    id: str
    job: Job
    every: timedelta
    offset: timedelta
    jitter: timedelta

    @property
    def note(self) -> str:
        """What it does in words; together with the times above it tells all there is to compare."""
        deadline = in_words(timedelta(seconds=self.job.deadline))
        return f"{OURS}deadline {deadline}, heartbeat {self.job.heartbeat:g} s"

    @property
    def times(self) -> tuple[timedelta, timedelta, timedelta]:
        """Interval, offset and jitter."""
        return self.every, self.offset, self.jitter


@dataclass(frozen=True, slots=True)
class Existing:
    """A schedule of ours as Temporal lists it."""

    id: str
    times: tuple[timedelta, timedelta, timedelta]
    note: str
    paused: bool

    @property
    def paused_by_us(self) -> bool:
        """Whether `fleet apply` has paused it, and no person."""
        return self.paused and self.note.startswith(OURS)


def prefix_of(queue: str) -> str:
    """Begin the ids of a fleet's schedules: a second fleet in the namespace has another queue."""
    return f"stocksync/{queue}/"


def named_in(schedule_id: str) -> tuple[str, str]:
    """Give kind and account of a schedule by its id."""
    _, _, kind, account = schedule_id.split("/", 3)
    return kind, account


def wanted_of(queue: str, timings: Iterable[Timing], heartbeat: timedelta) -> Iterator[Wanted]:
    """Give the schedules of these accounts: one for polls and one for audits, each at its place in the interval."""
    for one in timings:
        place = place_of(one.account)
        for kind, interval, where in ((POLL, one.interval, place), (AUDIT, one.audit_interval, (place + 0.5) % 1)):
            every = max(_SECOND, _whole(interval, math.ceil))
            job = Job(one.account, kind, one.deadline.total_seconds(), heartbeat.total_seconds())
            yield Wanted(
                id=f"{prefix_of(queue)}{kind}/{one.account}", job=job, every=every,
                offset=_whole(every * where, math.floor), jitter=_whole(one.jitter, math.floor),
            )  # fmt: skip


def difference(
    wanted: Iterable[Wanted], existing: Mapping[str, Existing], faulty: Collection[str]
) -> list[ScheduleStep]:
    """Give what makes the existing schedules equal to the wanted ones.

    `faulty`: files of accounts_dir that cannot be read. While there are any nobody knows whose account is missing, and
    nothing is deleted: what is not wanted is paused. What a person has paused stays so.
    """
    found, steps = {one.id: one for one in wanted}, list[ScheduleStep]()
    for one in found.values():
        there, account, kind = existing.get(one.id), one.job.account, one.job.kind
        every = f"every {in_words(one.every)}"
        if there is None:
            steps.append(ScheduleStep(Verb.CREATE, one.id, account, kind, every))
        elif there.paused_by_us:
            steps.append(ScheduleStep(Verb.RESUME, one.id, account, kind, every))
        # Who pauses a schedule on Temporal's page leaves a note of their own, which is not for us to overwrite.
        elif there.times != one.times or not (there.paused or there.note == one.note):
            before = f"every {in_words(there.times[0])}"
            why = f"{before} → {every}" if before != every else "its offset, jitter, deadline or heartbeat is another"
            steps.append(ScheduleStep(Verb.CHANGE, one.id, account, kind, why))
    for other in existing.values():
        if other.id in found:
            continue
        kind, account = named_in(other.id)
        if not faulty:
            steps.append(ScheduleStep(Verb.DELETE, other.id, account, kind, "its account is not in the configuration"))
        elif not other.paused:
            why = f"its account may stand in a faulty file: {', '.join(sorted(faulty))}"
            steps.append(ScheduleStep(Verb.PAUSE, other.id, account, kind, why))
    return sorted(steps, key=lambda step: (list(Verb).index(step.verb), step.account, step.kind))


def _whole(span: timedelta, rounded: Callable[[float], int]) -> timedelta:
    return timedelta(seconds=rounded(span.total_seconds()))
