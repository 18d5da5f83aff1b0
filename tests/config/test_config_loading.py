"""What is accepted, and what it becomes."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from stocksync.config import OWN_COLUMNS, build, effective, example, load, reference
from stocksync.config.values import parse_duration, parse_share, show_duration, show_share, split_listen
from stocksync.core.policy import OnRemoved, Unmapped
from stocksync.errors import ConfigurationError

ROOT = Path(__file__).parents[2]


def test_the_shortest_configuration_has_the_defaults_of_the_design(loaded, minimal):
    config = loaded(minimal)
    account = config.accounts[0]
    assert config.state.dsn() == "sqlite:///stocksync.db"
    assert config.state.keep_ledger == timedelta(days=90)
    assert config.http.address == ("127.0.0.1", 9464)
    assert not config.http.token
    assert (account.poll.interval, account.poll.jitter, account.poll.deadline) == (
        timedelta(minutes=15),
        timedelta(seconds=10),
        timedelta(minutes=10),
    )
    assert (account.poll.per_page, account.poll.concurrency, account.poll.requests_per_minute) == (100, 4, 180)
    assert account.base_url == "https://api.qoyod.com/2.0"
    assert account.target.mapping == OWN_COLUMNS
    assert account.locations.unmapped is Unmapped.AS_IS
    assert account.policy.on_deleted is OnRemoved.DEACTIVATE
    assert account.guards.zeroed == 0.15
    assert config.tenant(account) == "main"
    assert account.auth.secret.read() == "s3cr3t-of-the-tenant"


def test_every_kind_of_value_is_read(loaded, minimal):
    config = loaded(
        minimal
        + """
[accounts.poll]
interval = "2s"
requests_per_minute = 60
budget = "tenant"
filter = { category_id = 7 }
[accounts.locations]
map = { 3 = "MAIN", 7 = "OUTLET" }
unmapped = "ignore"
[accounts.policy]
buffer = 2.5
on_untracked = "zero"
[accounts.guards]
zeroed = "7.5%"
deleted = 0.2
"""
    )
    account = config.accounts[0]
    assert account.poll.interval == timedelta(seconds=2)
    assert account.poll.jitter <= timedelta(milliseconds=200)
    assert account.poll.deadline == timedelta(minutes=1)
    assert account.poll.filter.category_id == 7
    assert config.tenant(account) == "tenant"
    assert account.locations.map == {3: "MAIN", 7: "OUTLET"}
    assert account.policy.buffer == Decimal("2.5")
    assert account.policy.on_untracked is OnRemoved.ZERO
    assert account.guards.zeroed == pytest.approx(0.075)
    assert account.guards.deleted == 0.2


def test_the_environment_wins_over_the_file_by_section_name_and_number(loaded, minimal):
    config = loaded(
        minimal + '[accounts.poll]\ninterval = "1h"\nper_page = 50\n',
        STOCKSYNC_STATE__URL="postgresql://sync:hunter2@db/state",
        STOCKSYNC_HTTP__LISTEN="0.0.0.0:9000",
        STOCKSYNC_ACCOUNTS__MAIN__POLL__INTERVAL="5m",
        STOCKSYNC_ACCOUNTS__0__TARGET__CREATE_TABLE="true",
        STOCKSYNC_ACCOUNTS__MAIN__LOCATIONS__MAP='{"3": "MAIN"}',
        STOCKSYNC_SOAK_SECONDS="600",
    )
    account = config.accounts[0]
    assert config.state.dsn() == "postgresql://sync:hunter2@db/state"
    assert config.http.address == ("0.0.0.0", 9000)
    assert account.poll.interval == timedelta(minutes=5)
    assert account.poll.per_page == 50
    assert account.target.create_table is True
    assert account.locations.map == {3: "MAIN"}


def test_the_environment_alone_can_describe_an_account(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load(
        None,
        {
            "KEY": "k",
            "STOCKSYNC_ACCOUNTS__0__NAME": "main",
            "STOCKSYNC_ACCOUNTS__0__AUTH__SECRET_ENV": "KEY",
            "STOCKSYNC_ACCOUNTS__0__TARGET__URL": "sqlite:///shop.db",
        },
    )
    assert config.account("main") is config.accounts[0]
    assert config.account("other") is None


def test_the_file_in_the_working_directory_is_found(tmp_path, monkeypatch, minimal):
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text(minimal, encoding="utf-8")
    assert load(None, {"QOYOD_API_KEY": "k"}).accounts[0].name == "main"


def test_without_any_configuration_the_message_says_where_it_was_sought(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"neither config\.toml nor /etc/stocksync/config\.toml .*--config"):
        load(None, {})


@pytest.mark.parametrize(
    ("main", "hot", "tenants"),
    [
        ("", "", ["main", "main"]),
        ('tenant = "shop"', "", ["shop", "shop"]),
        ("", 'tenant = "shop"', ["shop", "shop"]),
        ('tenant = "shop"', 'tenant = "shop"\nauth = { secret_env = "OTHER" }', ["shop", "shop"]),
        ("", 'tenant = "main"\nauth = { secret_env = "OTHER" }', ["main", "main"]),
        ("", 'auth = { secret_env = "OTHER" }', ["main", "hot"]),
        ("", 'auth = { secret_env = "SAME" }', ["main", "main"]),
        ("", 'base_url = "https://sandbox.qoyod.com/api/2.0"', ["main", "hot"]),
    ],
    ids=["derived", "said first", "said last", "said", "by name", "other key", "one key twice", "other api"],
)
def test_a_tenant_is_said_or_derived_from_the_credential(loaded, main, hot, tenants):
    account = '[[accounts]]\nname = "{}"\n{}\ntarget = {{ url = "sqlite:///{}.db" }}\n'
    key = 'auth = { secret_env = "QOYOD_API_KEY" }'
    texts = [account.format(name, more if "auth" in more else f"{more}\n{key}", name) for name, more in
             (("main", main), ("hot", hot))]  # fmt: skip
    config = loaded("".join(texts), OTHER="another", SAME="s3cr3t-of-the-tenant")
    assert [config.tenant(one) for one in config.accounts] == tenants


def test_the_budget_of_an_older_configuration_is_read_as_the_tenant(loaded, minimal):
    config = loaded(
        minimal + '[accounts.poll]\nbudget = "tenant"\n' + minimal.replace("main", "hot") + "[accounts.poll]\n"
        'budget = "tenant"\ninterval = "1m"\nfilter = { category_id = 7 }\n'
    )
    assert [config.tenant(account) for account in config.accounts] == ["tenant", "tenant"]


def test_two_tenants_may_write_one_table_where_locations_tell_them_apart(loaded, minimal):
    text = minimal.replace('name = "main"', 'name = "a"\ntenant = "a"')
    text += "[accounts.locations]\nmap = { 3 = 'JEDDAH' }\nunmapped = 'ignore'\n"
    text += (
        minimal.replace('name = "main"', 'name = "b"\ntenant = "b"') + "[accounts.locations]\nmap = { 3 = 'RIYADH' }\n"
    )
    assert len(loaded(text).accounts) == 2


def test_configurations_are_frozen(loaded, minimal):
    config = loaded(minimal)
    with pytest.raises(ValueError, match="frozen"):
        config.accounts[0].poll.per_page = 7


def test_own_statements_replace_table_and_columns(loaded, minimal):
    config = loaded(
        minimal
        + """
[accounts.target.statements]
write = "UPDATE s SET q = :quantity, at = now()::timestamp WHERE sku = :sku AND l = :location"
read = "SELECT q FROM s WHERE sku = :sku AND l = :location"
[accounts.policy]
on_deleted = "keep"
"""
    )
    assert config.accounts[0].target.statements is not None
    assert not config.accounts[0].target.summed


def test_a_configuration_can_be_built_in_code():
    values = {"name": "demo", "auth": {"secret_env": "K"}, "target": {"url": "sqlite:///t.db"}}
    assert build({"accounts": [values]}, {"K": "k"}).accounts[0].auth.secret.read() == "k"


def test_the_example_file_is_the_rendering_and_loads(loaded):
    text = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    assert text == example(), "run: .venv/bin/python -m stocksync.config ."
    config = loaded(text)
    assert config.accounts[0].target.dsn() == "postgresql://shop:hunter2@db/shop"


def test_the_example_file_shows_the_defaults(loaded, minimal):
    shown = effective(loaded((ROOT / "config.example.toml").read_text(encoding="utf-8")))
    plain = effective(loaded(minimal))
    for name in ("state", "http", "log"):
        assert shown[name] == plain[name]
    for name in ("poll", "locations", "policy", "guards", "drift"):
        assert shown["accounts"][0][name] == plain["accounts"][0][name]
    assert shown["accounts"][0]["target"]["columns"] == OWN_COLUMNS.model_dump()


def test_every_key_stands_in_the_reference_with_a_sentence():
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "run: .venv/bin/python -m stocksync.config ."
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert not [row for row in rows if row.endswith("|  |")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("2s", timedelta(seconds=2)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("90d", timedelta(days=90)),
        ("1.5h", timedelta(minutes=90)),
        ("0s", timedelta(0)),
    ],
)
def test_durations_are_read_and_shown(text, value):
    assert parse_duration(text) == value
    assert parse_duration(show_duration(value)) == value


def test_a_compound_duration_is_the_sum():
    assert parse_duration("1h30m") == timedelta(minutes=90)


@pytest.mark.parametrize("value", ["", "15", "m", "15 minutes", 15, "-1s", "1h 30", None, True, "9" * 400 + "d"])
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@pytest.mark.parametrize(("value", "share"), [("15%", 0.15), ("100%", 1.0), ("0%", 0.0), (0.6, 0.6), ("7.5 %", 0.075)])
def test_shares_are_fractions(value, share):
    assert parse_share(value) == pytest.approx(share)
    assert parse_share(show_share(share)) == pytest.approx(share)


@pytest.mark.parametrize("value", ["15", 15, "101%", "-1%", True, "nan%", float("nan"), None])
def test_what_is_no_share_is_refused(value):
    with pytest.raises(ValueError, match="share"):
        parse_share(value)


def test_addresses_to_listen_on_may_be_ipv6():
    assert split_listen("[::1]:9464") == ("::1", 9464)


@pytest.mark.parametrize("value", ["9464", "localhost", ":9464", "a:b", "host:70000", "::1:9464", "http://a:1"])
def test_what_is_no_address_to_listen_on_is_refused(value):
    with pytest.raises(ValueError, match="host:port"):
        split_listen(value)
