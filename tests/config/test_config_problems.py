"""What cannot work: every problem at once, each with its place, and what to do."""

import json
import re
from pathlib import Path

import pytest

from stocksync.config import load
from stocksync.errors import ConfigurationError


def test_all_problems_are_told_at_once(problems):
    told = problems(
        """
[state]
keep_leger = "90d"
[http]
listen = "9464"
[log]
level = "loud"
[[accounts]]
name = "main"
[accounts.auth]
secret_env = "NOT_EXPORTED"
[accounts.poll]
interval = "soon"
per_page = 101
[accounts.target]
url = "sqlite:///a.db"
url_env = "TARGET_DATABASE_URL"
[accounts.target.columns]
product_id = "id"
[[accounts]]
name = "main"
[accounts.auth]
secret_env = "QOYOD_API_KEY"
[accounts.target]
url = "oracle://db"
"""
    )
    expected = {
        'state.keep_leger: no such key; did you mean "keep_ledger"?',
        'http.listen: must be host:port, such as "127.0.0.1:9464", "0.0.0.0:9464" or "[::]:9464" (got "9464")',
        'log.level: must be one of debug, info, warning, error (got "loud")',
        'accounts[0].poll.interval: must be a duration in quotes, such as "30s", "15m", "1h" or "90d" (got "soon")',
        "accounts[0].poll.per_page: must be at most 100 (got 101)",
        "accounts[0].auth.secret_env: the environment variable NOT_EXPORTED is not set; export it first",
        "accounts[0].target.url_env: give only one of url, url_env and url_file (got url and url_env)",
        "accounts[0].target.columns.quantity: is needed: the column that the figure goes into",
        'accounts[1].name: is given 2 times (got "main")',
    }
    assert expected <= set(told)
    assert any(line.startswith("accounts[1].target.url: oracle is not supported") for line in told)
    assert any(line.startswith("accounts[0].policy.on_deleted:") for line in told)
    assert any(line.startswith("accounts[0].locations.map: the target keeps one figure per product") for line in told)
    assert len(told) == len(expected) + 3


@pytest.mark.parametrize(
    ("addition", "line"),
    [
        (
            '[fleet]\naddress = "temporal"',
            'fleet.address: must be the host:port of Temporal\'s frontend, such as "127.0.0.1:7233" (got "temporal")',
        ),
        ('[fleet]\nheartbeat_timeout = "1s"', "fleet.heartbeat_timeout: must be at least"),
        ('[fleet]\ntls_ca = "nowhere.pem"', "fleet.tls_ca: there is no such file (got nowhere.pem)"),
        (
            '[fleet]\napi_key_env = "NOT_EXPORTED"',
            "fleet.api_key_env: the environment variable NOT_EXPORTED is not set",
        ),
        ("[accounts.poll]\nintervall = '5m'", 'accounts.main.poll.intervall: no such key; did you mean "interval"?'),
        ("interval = '5m'", "accounts.main.target.interval: no such key here; did you mean accounts.poll.interval"),
        ("[accounts.target]", "config.toml: is not valid TOML"),
        ("[accounts.poll]\ninterval = 900", "accounts.main.poll.interval: must be a duration in quotes"),
        ("[accounts.poll]\ninterval = '0s'", "accounts.main.poll.interval: must be longer than zero"),
        ("[accounts.poll]\nrequests_per_minute = 301", "accounts.main.poll.requests_per_minute: must be at most 300"),
        ("[accounts.poll]\nper_page = 0", "accounts.main.poll.per_page: must be at least 1 (got 0)"),
        ("[accounts.poll]\nper_page = 'many'", 'accounts.main.poll.per_page: must be a whole number (got "many")'),
        (
            "[accounts.poll]\ninterval = '5m'\ndeadline = '10m'",
            "accounts.main.poll.deadline: must not be longer than 5m, which follows from the interval 5m",
        ),
        (
            "[accounts.poll]\ninterval = '5m'\njitter = '10m'",
            "accounts.main.poll.jitter: must not be longer than the interval 5m",
        ),
        (
            "[accounts.poll.filter]\nsku = 'A'\ncategory_id = 7",
            "accounts.main.poll.filter: give sku or category_id, not both",
        ),
        (
            "[accounts.locations]\nmap = { main = 'MAIN' }",
            'accounts.main.locations.map.main: must be the id of a Qoyod location: write { 1 = "MAIN" }',
        ),
        ("[accounts.locations]\nmap = { 3 = '' }", "accounts.main.locations.map.3: must not be empty"),
        (
            "[accounts.locations]\nunmapped = 'drop'",
            "accounts.main.locations.unmapped: must be one of as_is, ignore, hold",
        ),
        ("[accounts.locations]\nunmapped = 'hold'", "accounts.main.locations.map: is empty"),
        ("[accounts.policy]\non_untracked = 'delete'", "accounts.main.policy.on_untracked: must be one of keep"),
        ("[accounts.policy]\nbuffer = -1", "accounts.main.policy.buffer: must be at least 0 (got -1)"),
        ("[accounts.policy]\nbuffer = nan", "accounts.main.policy.buffer: must be a number"),
        ("[accounts.guards]\nzeroed = '150%'", "accounts.main.guards.zeroed: must be a share in quotes"),
        ("[accounts.drift]\nheal = 'maybe'", 'accounts.main.drift.heal: must be true or false (got "maybe")'),
        ("match_by = 'name'", "accounts.main.target.match_by: must be one of product_id, sku"),
        (
            "match_by = 'sku'\n[accounts.target.columns]\nquantity = 'q'\nlocation = 'l'\nactive = 'a'",
            'accounts.main.target.columns.sku: match_by = "sku" needs it',
        ),
        (
            "[accounts.target.columns]\nproduct_id = 'id'\nquantity = 'id'\nlocation = 'l'\nactive = 'a'",
            'accounts.main.target.columns: "id" is used for two fields',
        ),
        (
            "[accounts.target.columns]\nproduct_id = 'id'\nquantity = 'q'\nlocation = 'l'",
            'accounts.main.policy.on_deleted: "deactivate" needs target.columns.active',
        ),
        (
            "[accounts.target.columns]\nproduct_id = 'id'\nquantity = 'q'\nactive = 'a'",
            "accounts.main.locations.map: the target keeps one figure per product",
        ),
    ],
)
def test_each_mistake_has_one_clear_line(problems, minimal, addition, line):
    told = problems(minimal + addition + "\n")
    assert len(told) == 1, told
    assert line in told[0]


STATEMENTS = """
[accounts.target.statements]
write = "{write}"
read = "SELECT q FROM s WHERE sku = :sku"
[accounts.locations]
map = {{ 3 = "main" }}
[accounts.policy]
on_deleted = "{on_deleted}"
"""
WRITE = "UPDATE s SET q = :quantity WHERE sku = :sku"


@pytest.mark.parametrize(
    ("spoilt", "line"),
    [
        (("table = 't'\n", WRITE, "keep"), "accounts.main.target.table: does not go with"),
        (("", "", "keep"), "accounts.main.target.statements.write: is needed"),
        (("", "UPDATE s SET q = :qty WHERE sku = :sku", "keep"), "accounts.main.target.statements.write: binds :qty"),
        (("", "UPDATE s SET q = :quantity", "keep"), "accounts.main.target.statements.write: must find its row by"),
        (
            ("", "UPDATE s SET q = 0 WHERE sku = :sku", "keep"),
            "accounts.main.target.statements.write: must bind :quantity",
        ),
        (("", WRITE, "deactivate"), 'accounts.main.policy.on_deleted: "deactivate" needs target.statements.deactivate'),
        (("", WRITE, "delete"), 'accounts.main.policy.on_deleted: "delete" needs target.statements.delete'),
    ],
)
def test_own_statements_are_checked(problems, minimal, spoilt, line):
    table, write, on_deleted = spoilt
    told = problems(minimal + table + STATEMENTS.format(write=write, on_deleted=on_deleted))
    assert len(told) == 1, told
    assert line in told[0]


def test_columns_do_not_go_with_statements(problems, minimal):
    told = problems(
        minimal + "[accounts.target.columns]\nquantity = 'q'\n" + STATEMENTS.format(write=WRITE, on_deleted="keep")
    )
    assert told == (
        "accounts.main.target.columns: does not go with [accounts.target.statements]; leave one of them out",
    )


@pytest.mark.parametrize(
    ("auth", "lines"),
    [
        ("", ["accounts.main.auth.secret_env: the credential is needed"]),
        ('secret_env = "QOYOD_API_KEY"\nsecret_file = "/x"', ["accounts.main.auth.secret_env: give it or secret_file"]),
        (
            'secret_file = "/nowhere/key"',
            ["accounts.main.auth.secret_file: No such file or directory (got /nowhere/key)"],
        ),
        (
            'scheme = "oauth2"',
            [
                'accounts.main.auth.token_url: scheme = "oauth2" needs it',
                'accounts.main.auth.client_id: scheme = "oauth2" needs it',
                'accounts.main.auth.client_secret_env: scheme = "oauth2" needs it',
            ],
        ),
        (
            'secret_env = "QOYOD_API_KEY"\nclient_id = "x"',
            ['accounts.main.auth.client_id: belongs to scheme = "oauth2" (the scheme is "api_key")'],
        ),
        ('scheme = "basic"\nsecret_env = "QOYOD_API_KEY"', ["accounts.main.auth.scheme: must be one of api_key"]),
    ],
)
def test_the_credential_is_checked(problems, auth, lines):
    told = problems(
        f'[[accounts]]\nname = "main"\n[accounts.auth]\n{auth}\n[accounts.target]\nurl = "sqlite:///s.db"\n'
    )
    assert len(told) == len(lines), told
    assert all(any(line in one for one in told) for line in lines), told


def of(tenant, minimal, more=""):
    return minimal.replace('name = "main"', f'name = "{tenant}"\ntenant = "{tenant}"') + more


def test_accounts_of_one_tenant_agree_on_its_budget(problems, minimal):
    told = problems(minimal + minimal.replace("main", "hot") + "[accounts.poll]\nrequests_per_minute = 60\n")
    assert told == (
        (
            'accounts.hot.poll.requests_per_minute: must be the same for all accounts of the tenant "main": '
            "main has 180 (got 60)"
        ),
    )


def test_a_tenants_name_is_a_short_word(problems, minimal):
    told = problems(minimal.replace('name = "main"', "name = 'main'\ntenant = 'A B'"))
    assert told[0].startswith("accounts.main.tenant: must be 1 to 64 of a-z"), told


@pytest.mark.parametrize("title", ["a" * 101, "one\\ntwo", "turned \\u202E", "\\u200F"])
def test_a_title_is_one_line_in_any_script(problems, minimal, title):
    told = problems(minimal.replace('name = "main"', f"name = 'main'\ntitle = \"{title}\""))
    reasons = r"be one line of at most 100 characters|not hold U\+202E|hold a sign"
    assert re.match(rf"accounts.main.title: must ({reasons})", told[0])


CLASH = "accounts.b.target.table: a, of another Qoyod company, writes this table too"
SUMMED = """[accounts.target.columns]
product_id = "p"
quantity = "q"
[accounts.policy]
on_deleted = "keep"
"""
PLACES = "[accounts.locations]\nmap = {{ 3 = '{}' }}\nunmapped = '{}'\n"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", ""),
        (SUMMED + PLACES.format("MAIN", "as_is"), SUMMED + PLACES.format("B", "as_is")),
        (PLACES.format("MAIN", "as_is"), PLACES.format("B", "as_is")),
        (PLACES.format("7", "ignore"), PLACES.format("B", "as_is")),
        (PLACES.format("MAIN", "ignore"), PLACES.format("main", "ignore")),
    ],
    ids=["one table", "no location column", "both number the rest", "a value that is a number", "case alone"],
)
def test_two_tenants_whose_products_may_be_one_row_are_refused(problems, minimal, first, second):
    told = problems(of("a", minimal, first) + of("b", minimal, second))
    assert len(told) == 1, told
    assert CLASH in told[0]
    assert "one company say the same tenant" in told[0]


def test_a_table_is_the_same_however_its_url_is_spelt(problems, minimal):
    first = minimal.replace("sqlite:///shop.db", "postgresql://shop@LOCALHOST/shop")
    second = minimal.replace('url = "sqlite:///shop.db"', 'url_env = "OTHER"\ntable = "public.stock_levels"')
    told = problems(of("a", first) + of("b", second), OTHER="postgresql://root:hunter2@127.0.0.1:5432/shop")
    assert len(told) == 1, told
    assert CLASH in told[0]


def test_two_tenants_with_one_own_statement_are_refused(problems, minimal):
    own = STATEMENTS.format(write="UPDATE s SET q = :quantity WHERE sku = :sku", on_deleted="keep")
    told = problems(of("a", minimal, own) + of("b", minimal, own))
    assert len(told) == 1, told
    assert "accounts.b.target.statements: a, of another Qoyod company" in told[0]


@pytest.mark.parametrize("text", ["", "[state]\n", "accounts = []\n"])
def test_at_least_one_account_is_needed(problems, text):
    assert problems(text) == ("accounts: at least one [[accounts]] with a name, a credential and a target is needed",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("accounts = 3\n", "accounts: must be a list: [[accounts]] in double brackets (got a number)"),
        ("[accounts]\nname = 'main'\n", "accounts: must be a list: [[accounts]] in double brackets (got a section)"),
        ("accounts = ['main']\n", "accounts[0]: must be a section (got text)"),
    ],
)
def test_misshapen_accounts_are_one_problem(problems, text, line):
    assert problems(text) == (line,)


@pytest.mark.parametrize("name", ["Main", "a b", "", "x" * 65, "ä"])
def test_account_names_are_short_words(problems, minimal, name):
    told = problems(minimal.replace('"main"', f'"{name}"'))
    assert len(told) == 1
    assert told[0].startswith("accounts[0].name: must be 1 to 64 of a-z, 0-9, _ and -")


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"STOCKSYNC_STAET__URL": "x"}, "STOCKSYNC_STAET__URL: no such section"),
        ({"STOCKSYNC_STATE__ULR": "x"}, 'state.ulr: no such key; did you mean "url"?'),
        ({"STOCKSYNC_ACCOUNTS__SHOP__POLL__PER_PAGE": "7"}, "STOCKSYNC_ACCOUNTS__SHOP__…: no account of this name"),
        ({"STOCKSYNC_ACCOUNTS__MAIN__LOCATIONS__MAP": "3=A"}, "accounts.main.locations.map: must be a table"),
        ({"STOCKSYNC_ACCOUNTS": "nonsense"}, 'STOCKSYNC_…: error parsing value for field "accounts"'),
    ],
)
def test_mistakes_in_the_environment_are_problems_too(problems, minimal, environ, line):
    told = problems(minimal, **environ)
    assert len(told) == 1, told
    assert line in told[0]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: No such file or directory; is --config right\?"):
        load(tmp_path / "nowhere.toml", {})
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load(tmp_path, {})
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        load(tmp_path / "latin.toml", {})


@pytest.mark.parametrize(
    ("live", "flaw"),
    [
        ("deleted_at IS NULL; DROP TABLE stock", "holds a ;"),
        ("tenant = :tenant", "binds :tenant"),
        ("WHERE deleted_at IS NULL", "without WHERE"),
        ("a IS NULL) OR (b IS NULL", "parentheses"),
        ("(a IS NULL", "parentheses"),
        ("name <> 'x", "does not close"),
        ("a IS NULL /* why", "does not close"),
    ],
)
def test_a_condition_that_would_break_a_statement_is_named(minimal, problems, live, flaw):
    told = problems(minimal.replace('url = "sqlite:///shop.db"', f'url = "sqlite:///shop.db"\nlive = "{live}"'))
    assert len([line for line in told if line.startswith("accounts.main.target.live: ") and flaw in line]) == 1, told


@pytest.mark.parametrize(
    "live",
    ["a::date IS NULL", "a <> 'b;c:d'", "a IS NULL;", "a IS NULL -- ; :x", "a = 'it''s :x'", "(a) IN ((1), (2))"],
)
def test_a_condition_of_any_sound_form_is_taken(minimal, loaded, live):
    loaded(minimal.replace('url = "sqlite:///shop.db"', f'url = "sqlite:///shop.db"\nlive = "{live}"'))


def _with_after_batch(minimal, statement):
    given = f"after_batch = {json.dumps(statement)}"
    return minimal.replace('url = "sqlite:///shop.db"', f'url = "sqlite:///shop.db"\ntable = "shop.stock"\n{given}')


@pytest.mark.parametrize(
    ("statement", "flaw"),
    [
        ("COMMIT", "begins with COMMIT"),
        ("-- hello\nDROP TABLE outbox", "begins with DROP"),
        ("SELECT 1; SELECT 2", "holds a ; and must be one statement"),
        ("SELECT pg_notify('stock', :acount)", "binds :acount; did you mean :account?"),
        ("SELECT :x", "there are :account :cycle_id :applied"),
        ("SELECT 'open", "opens ' and does not close it"),
        ("UPDATE stock SET quantity = 0", "writes to shop.stock"),
        ('insert or replace into shop . "stock" values (1)', "writes to shop.stock"),
        ("WITH gone AS (DELETE FROM ONLY Stock RETURNING 1) SELECT 1", "writes to shop.stock"),
    ],
)
def test_a_statement_that_would_break_the_batch_is_named(minimal, problems, statement, flaw):
    told = problems(_with_after_batch(minimal, statement))
    assert len([line for line in told if line.startswith("accounts.main.target.after_batch: ") and flaw in line]) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "SELECT pg_notify('stock; :x', :account || ' ' || :applied::text);",
        "/* ours */ INSERT INTO stock_outbox SELECT :cycle_id FROM shop.stock LIMIT 1",
        "UPDATE outbox SET n = n + :applied WHERE stock = 'update stock'",
        "NOTIFY stock",
        "CALL tell(:account)",
    ],
)
def test_a_statement_of_any_sound_form_is_taken(minimal, loaded, statement):
    loaded(_with_after_batch(minimal, statement))


def test_tokens_are_many_each_with_its_role_and_told_where_they_are_wrong(minimal, loaded, problems):
    tokens = (
        '[http]\nmetrics_need_token = true\n[[http.tokens]]\nname = "desk"\nrole = "refresh"\nsecret_env = "DESK"\n'
    )
    http = loaded(tokens + '[[http.tokens]]\nsecret_env = "DESK"\n' + minimal, DESK="one").http
    assert [(secret.read(), refreshes) for secret, refreshes in http.granted] == [("one", True), ("one", False)]
    assert (http.token.read(), http.metrics_need_token) == ("one", True)
    faulty = '[[http.tokens]]\nrole = "admin"\nsecret_env = "DESK"\n[[http.tokens]]\n'
    faulty += '[[http.tokens]]\nsecret_env = "NOWHERE"\n'
    told = "\n".join(problems(faulty + minimal, DESK="one"))
    assert 'http.tokens[0].role: must be one of read, refresh (got "admin")' in told, told
    assert "http.tokens[1].secret_env: the token is needed" in told
    assert "http.tokens[2].secret_env: the environment variable NOWHERE is not set" in told
