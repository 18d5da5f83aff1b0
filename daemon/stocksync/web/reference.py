"""The reference page of HTTP and JSON: `python -m stocksync.web.reference > docs/http.md`."""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from stocksync.core.answers import (
    CellExplanation,
    CheckResult,
    Explanation,
    Health,
    LocationStock,
    Preview,
    Step,
    StockAnswer,
    StockAnswers,
    Waiting,
)
from stocksync.core.drift import AuditReport, Difference
from stocksync.core.held_plan import HeldChange, HeldPlan
from stocksync.core.model import Change, Removal, TargetRow
from stocksync.core.report import Counts, CycleReport
from stocksync.core.status import AccountStatus, Quarantined
from stocksync.ports import LedgerRow, Level

RECORDS: tuple[type, ...] = (
    Health, AccountStatus, CycleReport, Counts, HeldPlan, HeldChange, Change, Quarantined, AuditReport, Difference,
    StockAnswer, StockAnswers, LocationStock, Preview, Explanation, CellExplanation, Step, TargetRow, LedgerRow, Level,
    CheckResult, Waiting,
)  # fmt: skip
ADDED: Mapping[type, Mapping[str, tuple[str, str]]] = {
    AccountStatus: {"health": ("`Health`", "In `/api/status` only.")},
    HeldPlan: {
        "changes_total": (
            "whole number",
            "In `/api/status`, which shows the first hundred changes: how many there are.",
        ),
        "effect": ("text", "In `/api/status`: what it would do, in one line."),
    },
    Change: {"kind": ("text", "insert, update, zero, deactivate, delete.")},
    CheckResult: {"well": ("true or false", "Whether `state` is not `failed`.")},
}
"""What the JSON has beside the fields of a record."""
LEFT_OUT: Mapping[type, frozenset[str]] = {Change: frozenset({"rivals"})}

_HEAD = """\
# HTTP and JSON

Made by `python -m stocksync.web.reference` from the records that are answered; a test compares, and another holds real
answers against it. Within a version 1.x keys are only added.

## The server

`http.listen` (default `127.0.0.1:9464`) answers from the first second on, before the state database can be opened.

| path | answers | codes |
|---|---|---|
| `/livez`, `/healthz` | whether the event loop turns: `{"well": true}`; restart on anything else | 200, 503 |
| `/readyz` | whether every account is well: `{"well": …, "accounts": [Health …]}` | 200, 503 |
| `/metrics` | Prometheus text, or OpenMetrics where asked for: [metrics.md](metrics.md) | 200 |
| `/api/status` | `{"at": …, "version": …, "well": …, "accounts": [AccountStatus …]}` | 200, 400, 404, 503 |
| `/api/stock?sku=…` or `?id=…` | one product, as it is remembered: `StockAnswer` | 200, 400, 404, 405, 503 |
| `/api/refresh?sku=…` or `?id=…`, by POST | the same, read in Qoyod now | 200, 400, 403, 404, 429, 503 |
| `/api/changes?account=…&after=…` | `{"account": …, "changes": [LedgerRow …], "next": …}` | 200, 400, 410, 503 |
| `/`, `/?account=…` | the page: up to five accounts, or one; more as a table (`sort`, `find`, `page`) | 200, 503 |
| `/runbook` | docs/runbook.md, a section for each alert: `/runbook#stocksyncstale` | 200 |
| `/search?q=…`, `/stock?sku=…` | a search by SKU, id or part of a name; one product, by POST read now | as above |

- `/api/status?account=…` is about one account. Above a thousand accounts an answer tells of a thousand of them, in the
  order of the configuration, says `accounts_total`, and names the `next` page (`?page=2`; null on the last); `well` is
  about all. `/readyz` names a thousand then too, first those that are not well.
- `/api/stock` takes `sku` (exactly as Qoyod has it) or `id` (Qoyod's product id), and `account` where there are
  several. `POST /api/refresh` takes the same and has Qoyod asked: that spends one request of the account's budget, and
  a figure that changed is written to the target, through the guards; the request carries no figure. Nothing that is
  asked by GET reaches Qoyod.
- `POST /api/refresh` with the body `{"account": "main", "skus": ["A", "B"]}`, at most 100, answers `StockAnswers` for
  the lines of one order: one request to Qoyod where it is seen to follow `q[sku_in][]`, else one each, at the pace
  below; what changed is weighed and written together. 404 where none of them is known.
- Look-ups may spend a third of `poll.requests_per_minute`, those of all processes together, so that polls always have
  the rest. Some go at once, the next ones wait for up to ten seconds, and then 429 says by `Retry-After` when to ask
  again.
- An answer waits for no cycle: where one compares or writes, `pushed` is 0, `note` says so, and what is new is written
  as soon as that has ended. A changed figure alone is written first, for two seconds at most, and `pushed` counts it.
- `/api/changes` is the ledger as a feed, oldest first: `after` is the id of the last change dealt with (0: from the
  oldest on), `limit` at most 1000 (100), `wait` up to 30 seconds for one where there is none yet. Go on with `next`.
  Each change is seen at least once, in commit order; a figure that did not change is not in it. Each account has a
  cursor of its own, since only its commits follow one another. 410: the ledger no longer keeps that row
  (`state.keep_ledger`), so some may have been missed: read all stock anew, then go on from 0.
- What cannot be answered is `{"error": "a sentence"}`: 400 a parameter is wrong, 401 the token is missing or wrong, 403
  not from here or not with this token, 404 no such product or page, 405 by POST alone, 429 too often, 503 not now. A
  browser, which asks for `text/html`, gets it as a page.
- While the state database is awaited, `/readyz` and `/api/status` answer 503 with `"waiting"`: a `Waiting`; so do
  `/livez` and `/healthz`, with 200, as a restart would not help.

## Tokens

Without a token everything is served to this machine alone (`127.0.0.1`, `localhost`), by that name only; beyond
loopback only `/livez`, `/healthz`, `/readyz` and `/metrics` are. With one every other path asks for it, on this machine
too:

    curl -H "Authorization: Bearer $STOCKSYNC_TOKEN" http://stock.example:9464/api/status

or as the password of HTTP Basic, whatever the user is, which is what a browser asks for:

    curl -u any:$STOCKSYNC_TOKEN http://stock.example:9464/

```toml
[http]
listen = "0.0.0.0:9464"
token_env = "STOCKSYNC_TOKEN"           # the NAME of the variable that holds it
```

`token_env` (or `token_file`) may do everything. Give each program and person a token of its own where you can, to take
it back alone: `role = "read"` looks at everything, `role = "refresh"` also has Qoyod asked.

```toml
[http]
listen = "0.0.0.0:9464"
metrics_need_token = true               # /metrics too; health never does

[[http.tokens]]
name = "order-desk"
role = "refresh"
secret_env = "ORDER_DESK_TOKEN"

[[http.tokens]]
name = "prometheus"                     # role = "read" is the default
secret_file = "/run/secrets/prometheus-token"
```

Tokens are compared in constant time. What a page of another site makes a visitor's browser send is refused: a POST must
come from our own page (`Sec-Fetch-Site`, else `Origin`) or from a program, which sends neither.

The server speaks plain HTTP: put a proxy that speaks TLS before it where others can listen.

## The commands' `--json`

| command | prints |
|---|---|
| `check` | a list of `CheckResult` |
| `status` | a list of `{"status": AccountStatus, "health": Health}` |
| `once` | a list of `CycleReport`, one for each account |
| `plan`, `once --dry-run` | a list of `Preview` |
| `stock` | a list of `StockAnswer`, for each SKU one for each account that knows the product |
| `explain` | `{"explanations": [Explanation …], "history": [LedgerRow …], "decisions": […]}` |
| `history SKU` | a list of `LedgerRow`, newest first; one with a `decision` was not written, but decided on |
| `drift` | a list of `AuditReport` |
| `changes` | one `LedgerRow` a line, oldest first |
| `levels` | a list of `{"level": Level, "location": name}` |
| `approve`, `reject` | what was decided: `account`, `plan_id`, `cause`, `decision`, `decided_by`, `decided_at`, \
`held_since`, `effect`, `cells`, `to_zero`, `units`, `removed`, `removed_units`, `reasons` |
| `retry` | account to the number of rows that the next poll tries again |
| `migrate` | `{"was_at_head": …, "what": "a sentence"}` |

Nothing but the JSON goes to standard output; exit codes are those of the table. `status`, `stock`, `explain`,
`history`, `plan`, `drift`, `changes` and `levels` also take `--csv`: one heading a column, one record a line, values as
below; what is not known is empty.

## Values

| written as | is |
|---|---|
| quantity | text, so that no decimal is lost: `"36.2084"`; a row that was taken out is `"deactivated"` or `"deleted"` |
| instant | text in ISO 8601, UTC: `"2026-08-31T12:00:00Z"` |
| seconds | a number |
| object | names or ids to values; ids are text, as JSON has no others |

What is not known is `null`, never 0. Text may hold any character that Qoyod holds. No answer shows a secret.
"""


def render() -> str:
    """Give the page as Markdown."""
    page = _HEAD
    for record in RECORDS:
        notes, hints = _notes(record), get_type_hints(record)
        rows = [(name, _kind(hints[name], name), notes.get(name, "")) for name in _names(record)]
        rows += [(name, kind, note) for name, (kind, note) in ADDED.get(record, {}).items()]
        about = " ".join((record.__doc__ or "").split())
        page += f"\n## `{record.__name__}`\n\n{about}\n\n| key | value | |\n|---|---|---|\n"
        page += "".join(f"| `{name}` | {kind} | {note} |\n" for name, kind, note in rows)
    return page


def keys_of(record: type) -> set[str]:
    """Give the keys that a record has in JSON."""
    return {*_names(record), *ADDED.get(record, {})}


def _names(record: Any) -> list[str]:  # noqa: ANN401  a dataclass or a named tuple
    names = [each.name for each in fields(record)] if is_dataclass(record) else list(record._fields)
    return [name for name in names if name not in LEFT_OUT.get(record, frozenset())]


def _notes(record: type) -> dict[str, str]:
    """Read the sentences below a record's fields: Python keeps them for nobody else."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101  for the type checker
    notes: dict[str, str] = {}
    name = ""
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            notes[name] = re.sub(r"\bNone\b", "null", " ".join(str(node.value.value).split()))
            name = ""
    return notes


def _kind(hint: Any, name: str) -> str:  # noqa: ANN401, PLR0911  any annotation; one line per kind of value
    if name == "parts":
        return 'list of `{"location": id, "quantity": quantity}`'
    if isinstance(hint, UnionType):
        kinds = dict.fromkeys(_kind(each, name) for each in get_args(hint) if each is not Removal)
        return " or ".join(kinds)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "text: " + ", ".join(str(each.value) for each in hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return f"object of {_kind(inner[1], name)}"
    if inner:
        return f"list of {_kind(inner[0], name)}"
    return f"`{getattr(hint, '__name__', hint)}`"


_PLAIN: Mapping[Any, str] = {
    str: "text", int: "whole number", bool: "true or false", float: "number", Decimal: "quantity", datetime: "instant",
    timedelta: "seconds", NoneType: "null",
}  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(render())
