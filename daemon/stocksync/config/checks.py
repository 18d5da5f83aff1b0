"""What must fit together across keys; each check sees a configuration whose single values are sound."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stocksync.config.account import AccountConfig, TargetConfig, longest_deadline
from stocksync.config.conditions import flaws, statement_flaws
from stocksync.config.fleet import FleetConfig
from stocksync.config.model import Config
from stocksync.config.secret import SecretRef
from stocksync.config.section import DatabaseSection
from stocksync.config.sources import Loc
from stocksync.config.tenancy import table_of, told_apart
from stocksync.config.values import show_duration
from stocksync.core.policy import OnRemoved, Unmapped
from stocksync.dsn import parse
from stocksync.errors import ConfigurationError

_PLACEHOLDER = re.compile(r"(?<![:\w]):([a-z_]+)\b", re.IGNORECASE)
_BOUND = ("product_id", "sku", "location", "quantity")
AFTER_BATCH_BINDS = ("account", "cycle_id", "applied")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that cannot work, where it stands, and the other keys it depends on."""

    loc: Loc
    text: str
    also: tuple[Loc, ...] = ()


def check(config: Config) -> Iterator[Problem]:
    """Find all that does not fit together."""
    yield from _database(("state",), config.state)
    if own := config.http.secret_at("token"):
        yield from _secret(("http", "token"), own, "")
    for index, token in enumerate(config.http.tokens):
        yield from _secret(("http", "tokens", index, "secret"), token.secret_at("secret"), "the token is needed")
    yield from _fleet(config.fleet)
    if not config.accounts:
        yield Problem(("accounts",), "at least one [[accounts]] with a name, a credential and a target is needed")
    times, seen = Counter(account.name for account in config.accounts), set[str]()
    for index, account in enumerate(config.accounts):
        if not account.name:
            yield Problem(("accounts", index, "name"), "every account needs a name")
        elif account.name in seen:
            yield Problem(("accounts", index, "name"), f'is given {times[account.name]} times (got "{account.name}")')
        seen.add(account.name)
    yield from _tenants(config)
    yield from _shared_tables(config)
    for index, account in enumerate(config.accounts):
        for found in _account(account):
            also = tuple(("accounts", index, *other) for other in found.also)
            yield Problem(("accounts", index, *found.loc), found.text, also)


def _fleet(fleet: FleetConfig) -> Iterator[Problem]:
    yield from _readable(("fleet", "api_key_env"), fleet.api_key)
    if bool(fleet.tls_certificate) != bool(fleet.tls_key):
        missing = "tls_key" if fleet.tls_certificate else "tls_certificate"
        given = ("fleet", "tls_certificate" if fleet.tls_certificate else "tls_key")
        yield Problem(("fleet", missing), "a certificate and its key are given together", (given,))
    for key in ("tls_ca", "tls_certificate", "tls_key"):
        name = getattr(fleet, key)
        if name and not Path(name).is_file():
            yield Problem(("fleet", key), f"there is no such file (got {name})")


def _tenants(config: Config) -> Iterator[Problem]:
    first: dict[str, AccountConfig] = {}
    for index, account in enumerate(config.accounts):
        tenant = config.tenant(account)
        other = first.setdefault(tenant, account)
        if account.name and other.poll.requests_per_minute != account.poll.requests_per_minute:
            text = (
                f'must be the same for all accounts of the tenant "{tenant}": '
                f"{other.name} has {other.poll.requests_per_minute} (got {account.poll.requests_per_minute})"
            )
            yield Problem(("accounts", index, "poll", "requests_per_minute"), text, (("accounts", index, "name"),))


def _shared_tables(config: Config) -> Iterator[Problem]:
    """Find tenants that would overwrite each other's rows: ids and SKUs are unique within one company alone."""
    before: dict[tuple[str, ...], list[AccountConfig]] = {}
    for index, account in enumerate(config.accounts):
        try:
            others = before.setdefault(table_of(account.target), [])
        except ConfigurationError:  # a URL that is missing or wrong is a problem of its own
            continue
        for other in others:
            if config.tenant(other) != config.tenant(account) and not told_apart(other, account):
                text = (
                    f"{other.name}, of another Qoyod company, writes this table too, and no column tells their rows "
                    "apart: give each a table, or a location column with values of its own (locations.map); "
                    "accounts of one company say the same tenant"
                )
                key = "table" if account.target.statements is None else "statements"
                yield Problem(("accounts", index, "target", key), text, (("accounts", index, "name"),))
                break
        others.append(account)


def _account(account: AccountConfig) -> Iterator[Problem]:
    if not account.base_url:
        yield Problem(("base_url",), "is empty; leave it out for https://api.qoyod.com/2.0")
    yield from _auth(account)
    poll, longest = account.poll, longest_deadline(account.poll.interval)
    interval = show_duration(poll.interval)
    if poll.deadline > longest:
        text = f"must not be longer than {show_duration(longest)}, which follows from the interval {interval}"
        yield Problem(("poll", "deadline"), f'{text} (got "{show_duration(poll.deadline)}")', (("poll", "interval"),))
    if poll.jitter > poll.interval:
        text = f'must not be longer than the interval {interval} (got "{show_duration(poll.jitter)}")'
        yield Problem(("poll", "jitter"), text, (("poll", "interval"),))
    if poll.filter.sku and poll.filter.category_id is not None:
        yield Problem(("poll", "filter"), "give sku or category_id, not both")
    yield from _target(account.target)
    yield from _removal(account)
    if not account.locations.map:
        own, unmapped = account.target.statements, account.locations.unmapped
        if account.target.summed and (own is None or own.write):
            text = 'the target keeps one figure per product: name the locations to sum, such as { 3 = "main" }'
            also = (("target", "columns"), ("target", "statements"), ("target", "columns", "location"))
            yield Problem(("locations", "map"), text, also)
        elif unmapped is not Unmapped.AS_IS:
            text = f'is empty and unmapped = "{unmapped}": nothing would ever be written'
            yield Problem(("locations", "map"), text, (("locations", "unmapped"),))


def _auth(account: AccountConfig) -> Iterator[Problem]:
    auth = account.auth
    if auth.scheme != "oauth2":
        yield from _secret(("auth", "secret"), auth.secret, "the credential is needed")
        for key in ("token_url", "client_id", "client_secret_env", "client_secret_file", "scope"):
            if getattr(auth, key):
                text = f'belongs to scheme = "oauth2" (the scheme is "{auth.scheme}")'
                yield Problem(("auth", key), text, (("auth", "scheme"),))
        return
    for key, hint in (("token_url", "likely https://app.qoyod.com/oauth/token"), ("client_id", "the client's id")):
        if not getattr(auth, key):
            yield Problem(("auth", key), f'scheme = "oauth2" needs it: {hint}', (("auth", "scheme"),))
    yield from _secret(("auth", "client_secret"), auth.client_secret, 'scheme = "oauth2" needs it')
    if auth.secret:
        yield Problem(("auth", f"secret_{'env' if auth.secret_env else 'file'}"), "oauth2 has client_secret_… instead")


def _secret(loc: Loc, secret: SecretRef, needed: str) -> Iterator[Problem]:
    *parents, key = loc
    env, file = (*parents, f"{key}_env"), (*parents, f"{key}_file")
    if secret.env and secret.file:
        yield Problem(env, f"give it or {key}_file, not both", (file,))
    elif not secret:
        yield Problem(env, f"{needed}: name the environment variable that holds it (or set {key}_file)", (file,))
    else:
        yield from _readable(env if secret.env else file, secret)


def _readable(loc: Loc, secret: SecretRef) -> Iterator[Problem]:
    if not secret:
        return
    try:
        secret.read()
    except ConfigurationError as error:
        yield Problem(loc, error.problems[0].partition(": ")[2])


def _database(loc: Loc, section: DatabaseSection) -> Iterator[Problem]:
    given = [key for key in ("url", "url_env", "url_file") if getattr(section, key) and key in section.model_fields_set]
    if len(given) > 1:
        yield Problem((*loc, given[1]), f"give only one of url, url_env and url_file (got {' and '.join(given)})")
        return
    secret = section.secret_at("url")
    key = given[0] if given else "url"
    if not secret and not section.url:
        yield Problem((*loc, "url"), "the database is needed: set url, url_env or url_file", ((*loc, "url_env"),))
        return
    try:
        parse(section.dsn(), ".".join(str(part) for part in loc))
    except ConfigurationError as error:
        yield Problem((*loc, key), error.problems[0].partition(": ")[2])


def _target(target: TargetConfig) -> Iterator[Problem]:
    yield from _database(("target",), target)
    table = target.table if target.statements is None else ""
    for flaw in statement_flaws(target.after_batch, AFTER_BATCH_BINDS, table):
        yield Problem(("target", "after_batch"), f'{flaw} (got "{target.after_batch}")')
    if target.statements is not None:
        yield from _statements(target)
        return
    for flaw in flaws(target.live):
        yield Problem(("target", "live"), f'{flaw} (got "{target.live}")')
    columns, at = target.mapping, ("target", "columns")
    if columns.quantity is None:
        yield Problem((*at, "quantity"), "is needed: the column that the figure goes into")
    if getattr(columns, target.match_by) is None:
        text = f'match_by = "{target.match_by}" needs it: the column to find rows by'
        yield Problem((*at, target.match_by), text, (("target", "match_by"),))
    twice = [name for name, times in Counter(columns.model_dump(exclude_none=True).values()).items() if times > 1]
    if twice:
        yield Problem(at, f'"{twice[0]}" is used for two fields')


def _statements(target: TargetConfig) -> Iterator[Problem]:
    own, at = target.statements, ("target", "statements")
    assert own is not None  # noqa: S101  for the type checker; the caller looked
    for key in ("table", "columns", "match_by", "create_table", "missing", "live"):
        if key in target.model_fields_set and getattr(target, key) is not None:
            yield Problem(("target", key), "does not go with [accounts.target.statements]; leave one of them out")
    for key, needs_quantity in (("write", True), ("read", False), ("deactivate", False), ("delete", False)):
        text = getattr(own, key)
        names = set(_PLACEHOLDER.findall(text))
        if not text and key in {"write", "read"}:
            yield Problem((*at, key), "is needed")
        elif unknown := sorted(names.difference(_BOUND)):
            yield Problem((*at, key), f"binds :{unknown[0]}; there are {' '.join(f':{name}' for name in _BOUND)}")
        elif text and not names & {"product_id", "sku"}:
            yield Problem((*at, key), "must find its row by :product_id or :sku, or it would touch every row")
        elif needs_quantity and "quantity" not in names:
            yield Problem((*at, key), "must bind :quantity")


def _removal(account: AccountConfig) -> Iterator[Problem]:
    target, policy = account.target, account.policy
    own = target.statements
    able = bool(own.deactivate) if own else target.mapping.active is not None
    key = "target.statements.deactivate" if own else "target.columns.active"
    needs = (("target", *key.split(".")[1:]), ("target", "columns"), ("target", "statements"))
    for name in ("on_deleted", "on_untracked", "on_unmapped"):
        rule = getattr(policy, name)
        if rule is OnRemoved.DEACTIVATE and not able:
            yield Problem(("policy", name), f'"deactivate" needs {key}; give that, or set {name} = "keep"', needs)
        if rule is OnRemoved.DELETE and own and not own.delete:
            text = f'"delete" needs target.statements.delete; give that, or set {name} = "keep"'
            yield Problem(("policy", name), text, needs)
