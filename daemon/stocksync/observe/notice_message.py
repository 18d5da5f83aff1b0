"""A notice as a message that people read, in their language."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stocksync.arabic import COMMA
from stocksync.arabic.sentences import in_plain_english, of_a_row
from stocksync.arabic.translation import length_in_arabic, translated
from stocksync.core.health import Watched, in_words
from stocksync.core.held_plan import HeldPlan, extent_of, worst_rows
from stocksync.core.model import show
from stocksync.core.notice import Notice, Trouble, drifted
from stocksync.core.status import AccountStatus
from stocksync.known_secrets import hidden
from stocksync.observe.notice_texts import CATALOGUE

_ROWS = 5
_LONGEST, _LONGEST_SAID = 200, 1_000
"""Of what is not ours; and of what is looked through for sentences of ours."""
_ISOLATE, _LEFT_TO_RIGHT, _END = "\u2068", "\u2066", "\u2069"
_JOINERS = "\u200c\u200d"
"""Between letters of Arabic script they are spelling."""
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_COMMANDS = {
    Trouble.STATE_AWAY: ("stocksync check",),
    Trouble.UNAUTHORIZED: ("stocksync check",),
    Trouble.TARGET_AWAY: ("stocksync check",),
    Trouble.STALE: ("stocksync status",),
    Trouble.REFUSED: ("stocksync check", "stocksync retry"),
    Trouble.UNKNOWN: ("stocksync check",),
    Trouble.HELD: ("stocksync plan",),
    Trouble.QUARANTINE: ("stocksync status",),
    Trouble.DRIFT: ("stocksync drift", "stocksync drift --heal"),
}


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language, filled in."""

    language: str = "en"
    options: str = ""
    """What a command needs behind its name to mean this configuration."""

    def account(self, notice: Notice, status: AccountStatus, watched: Watched, now: datetime) -> Message:
        """Say what has changed for an account: what has begun with its figures and what to type, then what is over."""
        lines: list[str] = []
        for trouble in notice.begun:
            lines += _about(self, trouble, status, watched, now)
            if trouble is not Trouble.HELD:
                lines += self._commands(trouble, status.account)
                continue
            for plan in status.waiting:
                decide = [self._typed(f"stocksync {verb}", plan.plan_id) for verb in ("approve", "reject")]
                lines += [*self._commands(trouble), *decide]
        return self._message(notice, self.foreign(watched.title or notice.account), lines)

    def process(self, notice: Notice, host: str, error: str) -> Message:
        """Say what has changed for the process itself."""
        name = self.text("process", host=self.foreign(host))
        lines = [self.text("state_away.is", error=self.said(error)), *self._commands(Trouble.STATE_AWAY)]
        return self._message(notice, name, lines if notice.begun else [])

    def kept_back(self, count: int, standing: Iterable[tuple[str, Iterable[Trouble]]]) -> Message:
        """Say that so many notices were kept back, and how all accounts stand now, each by the name people know."""
        lines = [self.text("kept_back.is")]
        for name, troubles in standing:
            named = self._named(troubles)
            key = "now" if named else "now_well"
            lines.append(self.text(key, account=self.foreign(name), troubles=named))
        return Message(self.text("kept_back", count=f"{count:,}"), "\n".join(lines))

    def _message(self, notice: Notice, name: str, lines: Sequence[str]) -> Message:
        begun, ended, lasting = map(self._named, (notice.begun, notice.ended, notice.lasting))
        key = "title" if begun else "title_over" if lasting else "title_well"
        rest = [self.text("over", troubles=ended)] if ended else []
        rest += [self.text("lasting", troubles=lasting)] if lasting else []
        title = self.text(key, account=name, troubles=begun or ended)
        return Message(title, "\n".join([*lines, *rest]))

    def _named(self, troubles: Iterable[Trouble]) -> str:
        comma = COMMA if self.language == "ar" else ", "
        return comma.join(self.text(trouble.value) for trouble in troubles)

    def _commands(self, trouble: Trouble, account: str = "") -> Iterator[str]:
        # Each on a line of its own: it can be copied, and reads from left to right in any text.
        yield self.text("type")
        yield from (self._typed(command, f"--account {account}" if account else "") for command in _COMMANDS[trouble])

    def _typed(self, command: str, rest: str) -> str:
        return " ".join(part for part in (command, self.options, rest) if part)

    def text(self, key: str, **given: str) -> str:
        """Give one text with its places filled in."""
        return CATALOGUE[self.language][key].format(**given)

    def ago(self, span: timedelta) -> str:
        """Give a length of time."""
        return length_in_arabic(in_words(span)) if self.language == "ar" else in_words(span)

    def said(self, sentence: str) -> str:
        """Give what our code says in this language; words that are not its own, such as a database's, as they are."""
        if row := of_a_row(sentence):  # where in Qoyod's answer it is, the status page shows
            sentence = in_plain_english(row) if self.language == "en" else row
        sentence = hidden(sentence)
        known = translated(sentence, _PLAIN) if self.language == "ar" and len(sentence) <= _LONGEST_SAID else None
        return known or self.foreign(sentence)

    def foreign(self, text: str) -> str:
        """Give what is not ours harmless: no secret, one line, and its direction kept to itself."""
        plain = _harmless(text)
        turns = self.language == "ar" or any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in plain)
        return f"{_ISOLATE}{plain}{_END}" if turns and plain else plain


def _harmless(text: str) -> str:
    line = " ".join(hidden(text).split())
    return "".join(sign for sign in line if sign in _JOINERS or unicodedata.category(sign)[0] != "C")[:_LONGEST]


class _PlainText:
    """Writes Arabic without markup: what runs another way is kept to itself by signs that nobody sees."""

    def sentence(self, template: str, parts: Mapping[str, str]) -> str:
        return template.replace("`", "").format(**parts)

    def joined(self, sign: str, parts: Iterable[str]) -> str:
        return sign.join(parts)

    def words(self, text: str) -> str:
        return _harmless(text)

    def figure(self, text: str) -> str:
        return text if text[0].isdecimal() else self.value(text, left_to_right=True)

    def as_typed(self, text: str) -> str:
        return _harmless(text)

    def value(self, text: str, *, left_to_right: bool = False) -> str:
        plain = _harmless(text)
        return f"{_LEFT_TO_RIGHT if left_to_right else _ISOLATE}{plain}{_END}" if plain else ""

    def foreign(self, text: str) -> str:
        return self.value(text)


_PLAIN = _PlainText()


def _about(words: Words, trouble: Trouble, status: AccountStatus, watched: Watched, now: datetime) -> Iterator[str]:  # noqa: C901, PLR0912  one branch a trouble
    match trouble:
        case Trouble.UNAUTHORIZED:
            since = status.unauthorized_since or now
            yield words.text("unauthorized.is", since=f"{since:%Y-%m-%d %H:%M} UTC")
        case Trouble.TARGET_AWAY:
            if status.target_contact is None:
                yield words.text("target_away.never")
            else:
                yield words.text("target_away.is", ago=words.ago(now - status.target_contact))
            yield from _failure(words, status)
        case Trouble.STALE:
            if status.last_complete is None:
                yield words.text("stale.never", failures=str(status.consecutive_failures))
            else:
                ago, limit = words.ago(now - status.last_complete), words.ago(watched.limit)
                yield words.text("stale.is", ago=ago, limit=limit)
            yield from _failure(words, status)
        case Trouble.REFUSED:
            count, cells, why = f"{status.refused:,}", f"{status.cells:,}", words.said(status.refusal)
            yield words.text("refused.is", count=count, cells=cells, error=why or words.text("none"))
        case Trouble.UNKNOWN:
            without = status.unknown + status.untracked
            yield words.text("unknown.is", count=f"{without:,}", cells=f"{status.cells:,}")
        case Trouble.HELD:
            for plan in status.waiting:
                yield from _plan(words, plan, watched, status)
        case Trouble.QUARANTINE:
            why = status.quarantine[0].reason if status.quarantine else ""
            error = words.said(why) or words.text("none")
            yield words.text("quarantine.is", count=f"{status.quarantined:,}", error=error)
        case Trouble.DRIFT:
            yield words.text("drift.is", count=f"{drifted(status):,}")
            if status.audit is not None and status.audit.lost:
                yield words.text("drift.lost", count=f"{status.audit.lost:,}")


def _failure(words: Words, status: AccountStatus) -> Iterator[str]:
    error = next((cycle.error for cycle in status.cycles if cycle.error), "")
    if error:
        yield words.text("error", error=words.said(error))


def _plan(words: Words, plan: HeldPlan, watched: Watched, status: AccountStatus) -> Iterator[str]:
    extent = extent_of(plan)
    yield words.text(
        "held.is", plan=plan.plan_id, zero=f"{extent.to_zero:,}", removed=f"{extent.removed:,}",
        others=f"{extent.cells - extent.to_zero - extent.removed:,}",
        units=f"{(extent.units + extent.removed_units).normalize():,f}",
    )  # fmt: skip
    places = watched.places.names(status.locations)
    for held in worst_rows(plan, _ROWS):
        change = held.change
        yield words.text(
            "row" if held.name else "row_unnamed", sku=words.foreign(change.sku or str(change.product_id)),
            name=words.foreign(held.name), place=words.foreign(places.get(change.place, "") or change.place),
            before=show(change.before) or words.text("none"), after=show(change.after),
        )  # fmt: skip
    if (more := len(plan.changes) - _ROWS) > 0:
        yield words.text("more", count=f"{more:,}")
