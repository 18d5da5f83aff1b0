"""How all accounts stand, as JSON: whole for up to a thousand of them, page by page for more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from stocksync.core.answers import Health
from stocksync.core.held_plan import headline
from stocksync.core.jsonable import jsonable
from stocksync.core.model import whole_number
from stocksync.core.status import AccountStatus
from stocksync.errors import ConfigurationError, NotFound
from stocksync.web.access import answer

MOST_ACCOUNTS = 1000
"""In one answer: ten thousand took 25 MB and seconds, for everybody else who asked meanwhile too."""
_MOST_CHANGES = 100

Judged = Sequence[tuple[AccountStatus, Health]]


@dataclass(frozen=True, slots=True)
class Part:
    """Which accounts are asked for."""

    account: str = ""
    page: int = 1

    def of(self, judged: Judged) -> Judged:
        """Give those accounts.

        Raises:
            NotFound: there is no account of this name.

        """
        if self.account:
            judged = [pair for pair in judged if pair[0].account == self.account]
            if not judged:
                raise NotFound(f"there is no account {self.account[:100]!r}")
        first = MOST_ACCOUNTS * (self.page - 1)
        return judged[first : first + MOST_ACCOUNTS]

    def paging(self, count: int) -> dict[str, Any]:
        """Say how many accounts there are and where the next ones stand; nothing where one answer holds them all."""
        if self.account or count <= MOST_ACCOUNTS:
            return {}
        more = count > MOST_ACCOUNTS * self.page
        return {"accounts_total": count, "next": f"/api/status?{urlencode({'page': self.page + 1})}" if more else None}


def part_of(query: Mapping[str, str]) -> Part:
    """Read which accounts a question is about.

    Raises:
        ConfigurationError: the page is no number from 1 on.

    """
    page = whole_number(query.get("page", "1"))
    if not page or page < 1:
        raise ConfigurationError(f"page: must be a whole number from 1 on (got {query['page'][:40]!r})")
    return Part(query.get("account", ""), page)


def status_json(whole: dict[str, Any], judged: Judged, part: Part, awaited: dict[str, Any]) -> web.Response:
    """Give everything people are shown, for machines; of a held plan the first hundred changes.

    Raises:
        NotFound: there is no such account.

    """
    shown = []
    for status, health in part.of(judged):
        plans: list[dict[str, Any]] = []
        for plan in status.plans:
            first = replace(plan, changes=plan.changes[:_MOST_CHANGES]).located(status.places)
            plans.append(jsonable(first) | {"changes_total": len(plan.changes), "effect": headline(plan)})
        record: dict[str, Any] = jsonable(replace(status, held=None, held_too=()))
        record |= {"held": plans[0] if plans else None, "held_too": plans[1:], "health": jsonable(health)}
        shown.append(record)
    return answer(whole | {"accounts": shown} | part.paging(len(judged)) | awaited)


def readiness_json(judged: Judged, awaited: dict[str, Any]) -> web.Response:
    """Say whether every account is well; of more than a thousand those are named that are not, and then others."""
    healths = [health for _, health in judged]
    well = all(health.well for health in healths)
    document: dict[str, Any] = {"well": well, "accounts": healths}
    if len(healths) > MOST_ACCOUNTS:
        worst = sorted(healths, key=lambda health: health.well)[:MOST_ACCOUNTS]
        document |= {"accounts": worst, "accounts_total": len(healths)}
    return answer(document | awaited, 200 if well else 503)
