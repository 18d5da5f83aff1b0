"""What people are told unasked: one notice for each change of an account's state, and one for its end."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from stocksync.core.drift import Cause
from stocksync.core.health import Watched
from stocksync.core.status import AccountStatus


class Trouble(StrEnum):
    """What an account can have; the worst first."""

    STATE_AWAY = "state_away"
    """Of a process: its state database cannot be read."""
    UNAUTHORIZED = "unauthorized"
    TARGET_AWAY = "target_away"
    STALE = "stale"
    REFUSED = "refused"
    """So many figures are set aside that the account is not well."""
    UNKNOWN = "unknown"
    """Qoyod no longer shows most figures."""
    HELD = "held"
    QUARANTINE = "quarantine"
    DRIFT = "drift"


Marks = Mapping[Trouble, str]
"""Each trouble that there is, with what tells it from the next of its kind: ids of plans, a number of rows."""

_BY_FAULT = {
    "credential refused": Trouble.UNAUTHORIZED,
    "stale": Trouble.STALE,
    "figures refused": Trouble.REFUSED,
    "figures unknown": Trouble.UNKNOWN,
}
_FOREIGN = (Cause.EDITED_IN_TARGET, Cause.MISSING_IN_TARGET, Cause.RENAMED)
_FOLLOWS = {
    Trouble.STALE: {Trouble.UNAUTHORIZED, Trouble.TARGET_AWAY},
    Trouble.QUARANTINE: {Trouble.REFUSED},
}
"""What is not told beside its cause."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A change of state that is worth a message; troubles stand in their order."""

    account: str
    """"" for the process itself."""
    begun: tuple[Trouble, ...] = ()
    ended: tuple[Trouble, ...] = ()
    lasting: tuple[Trouble, ...] = ()
    """What was told before and is still there."""


def troubles(status: AccountStatus, watched: Watched, now: datetime, told: Marks) -> dict[Trouble, str]:
    """Find what ails an account; where an audit failed, drift is as it was told last."""
    found = {_BY_FAULT[word]: "" for word, _ in watched.faults(status, now) if word in _BY_FAULT}
    if status.last_complete is None and status.consecutive_failures:
        found[Trouble.STALE] = ""
    if status.target_answers is False:
        found[Trouble.TARGET_AWAY] = ""
    if plans := sorted({plan.plan_id for plan in status.waiting}):
        found[Trouble.HELD] = " ".join(plans)
    if status.quarantined:
        found[Trouble.QUARANTINE] = str(status.quarantined)
    if status.audit is not None and status.audit.error:
        found |= {Trouble.DRIFT: told[Trouble.DRIFT]} if Trouble.DRIFT in told else {}
    elif drifted(status):
        found[Trouble.DRIFT] = ""
    return found


def drifted(status: AccountStatus) -> int:
    """Count the cells of the target that somebody else changed, by the last audit."""
    return 0 if status.audit is None else sum(status.audit.cells.get(cause.value, 0) for cause in _FOREIGN)


def news(account: str, told: Marks, found: Marks) -> tuple[Notice | None, dict[Trouble, str]]:
    """Compare what was told with what there is; give the notice, if one is due, and what is told with it."""
    begun, after = [], {}
    for trouble, mark in sorted(found.items(), key=_order):
        if trouble in told:
            again, after[trouble] = _more(trouble, told[trouble], mark)
            begun += [trouble] if again else []
        elif not _FOLLOWS.get(trouble, set()) & found.keys():
            begun.append(trouble)
            after[trouble] = mark
    ended = tuple(trouble for trouble, _ in sorted(told.items(), key=_order) if trouble not in found)
    lasting = tuple(trouble for trouble in after if trouble not in begun)
    return (Notice(account, tuple(begun), ended, lasting) if begun or ended else None), after


def _more(trouble: Trouble, told: str, mark: str) -> tuple[bool, str]:
    """Whether a trouble that lasts is to be told again, and as what it is told from now on."""
    if trouble is Trouble.HELD:
        return bool(set(mark.split()) - set(told.split())), mark
    if trouble is Trouble.QUARANTINE and told.isdigit():
        grown = int(mark) >= 2 * int(told)
        return grown, mark if grown else told
    return False, mark


def _order(item: tuple[Trouble, str]) -> int:
    return list(Trouble).index(item[0])


_NUMBER = "number"


def marks_text(marks: Marks, before: str = "") -> str:
    """Give marks as they are remembered after `before`; "" for none, at first.

    They bear a number: a text that comes back would let somebody who has slept through both changes take the first for
    the last, and tell of it again.
    """
    number = int(json.loads(before or "{}").get(_NUMBER, 0))
    words = {trouble.value: mark for trouble, mark in marks.items()}
    return json.dumps({_NUMBER: number + 1} | words) if words or before else ""


def marks_of(text: str) -> dict[Trouble, str]:
    """Read marks; what another version remembered and this one does not know is left out."""
    known = {trouble.value: trouble for trouble in Trouble}
    return {known[word]: str(mark) for word, mark in json.loads(text or "{}").items() if word in known}
