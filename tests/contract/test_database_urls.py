"""Database URLs as hosts hand them out: understood, or refused by name with the cure; no secret is ever shown."""

import ssl

import pytest

from stocksync.dsn import connect_args, parse, same_database, shown
from stocksync.dsn.options import options_of
from stocksync.errors import ConfigurationError

URL = "postgresql://shop:secret@db.example:5432/shop"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (URL, URL, True),
        (URL, URL.replace("postgresql:", "postgres:"), True),
        (URL, URL.replace("postgresql:", "postgresql+psycopg2:"), True),
        (URL, URL.replace("shop:", "stocksync:"), False),
        (URL, URL.replace("secret", "other"), False),
        (URL, URL.replace("5432", "5433"), False),
        (URL, f"{URL}?host=/run/postgresql", False),
        (URL, f"{URL}?options=-csearch_path%3Dother", False),
        ("mysql://a@h/db", "mysql://a@h/db?unix_socket=/run/sock", False),
        ("mysql://a@h/db", "mysql2://a@h/db", True),
        ("sqlite:////data/a.db", "sqlite:////data/a.db", True),
        ("sqlite:////data/a.db", "sqlite:////data/b.db", False),
        ("sqlite://", "sqlite://", False),
    ],
)
def test_any_difference_makes_two_databases(one: str, other: str, same: bool) -> None:
    assert same_database(parse(one, "state.url"), parse(other, "target.url")) is same


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql+psycopg2://u:p@h:6543/d", "postgresql+asyncpg://u:p@h:6543/d"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("pgsql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("jdbc:postgresql://h/d?user=u&password=p", "postgresql+asyncpg://u:p@h/d"),
        ("mysql2://u:p@h/d", "mysql+asyncmy://u:p@h/d"),
        ("mysql+pymysql://u:p@h/d", "mysql+asyncmy://u:p@h/d"),
        ("mariadb+mariadbconnector://u:p@h/d", "mariadb+asyncmy://u:p@h/d"),
        ("postgresql://u:p%40%2F@h/d", "postgresql+asyncpg://u:p%40%2F@h/d"),
        ("postgresql://u:pa/ss#wo?rd@h:5/d", "postgresql+asyncpg://u:pa%2Fss%23wo%3Frd@h:5/d"),
        ("postgresql://u:100%@h/d", "postgresql+asyncpg://u:100%25@h/d"),
        ("postgresql://u:p@[::1]:5433/d", "postgresql+asyncpg://u:p@[::1]:5433/d"),
        ("postgresql://h:5432/d?application_name=a@b", "postgresql+asyncpg://h:5432/d?application_name=a%40b"),
        ("postgresql://u@%2Frun%2Fpg/d", "postgresql+asyncpg://u@/d?host=%2Frun%2Fpg"),
        ("mysql://u@%2Frun%2Fmy.sock/d", "mysql+asyncmy://u@/d?unix_socket=%2Frun%2Fmy.sock"),
        ("postgresql://u@a:1,b:2/d", "postgresql+asyncpg://u@/d?host=a%3A1%2Cb%3A2"),
        ("postgresql:///d?host=a&port=7", "postgresql+asyncpg://a:7/d"),
        ("postgresql:///d?host=a,b&port=1,2", "postgresql+asyncpg:///d?host=a%3A1%2Cb%3A2"),
        ("postgresql://%2Frun%2Fpg/d", "postgresql+asyncpg:///d?host=%2Frun%2Fpg"),
        ("postgresql://u%40corp:p%2F%3F%23%40%3A@h/d", "postgresql+asyncpg://u%40corp:p%2F%3F%23%40%3A@h/d"),
        ("postgresql://u:p@[fe80::1%25eth0]/d", "postgresql+asyncpg://u:p@[fe80::1%eth0]/d"),
        ("POSTGRESQL+psycopg2cffi://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("jdbc:mariadb://h/d?user=u&password=p", "mariadb+asyncmy://u:p@h/d"),
        ("mysql+mysqldb://u:p@h/d?charset=utf8", "mysql+asyncmy://u:p@h/d?charset=utf8"),
        ("mysql:///d?unix_socket=/run/x.sock", "mysql+asyncmy:///d?unix_socket=%2Frun%2Fx.sock"),
        ("postgresql:///d?host=a:1&host=b:2", "postgresql+asyncpg:///d?host=a%3A1%2Cb%3A2"),
    ],
)
def test_a_url_of_another_library_is_understood(given: str, understood: str) -> None:
    assert parse(given, "x").render_as_string(hide_password=False) == understood


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (
            "postgresql://u:pa@ss@127.0.0.1/d",
            "no host '…@127.0.0.1': an @ in the password (or the user) is written %40",
        ),
        ("mysql://u:a@b@c@db.shop:3306/d?ssl=true", "no host '…@db.shop:3306': an @ in the password"),
        ("postgresql://u:p%FFq@h/d", "a % in the password is written %25"),
        ("postgresql://u:p@h:99999/d", "port 99999 is none"),
        ("postgresql://u:p@h:port/d", "the host cannot be told"),
        (
            "postgresql://u:p@h/d?sslmod=require",
            "?sslmod=…: no option that stocksync knows for postgresql; did you mean",
        ),
        ("postgresql://u:p@h/d?sslmode=sure", "?sslmode=…: must be one of disable, allow, prefer, require"),
        ("postgresql://u:p@h/d?channel_binding=require", "write sslmode=verify-full in its place"),
        ("postgresql://u:p@h/d?connection_limit=1", "?connection_limit=…: stocksync keeps a small pool of its own"),
        ("postgresql://u:p@h/d?statement_timeout=5s", "sets its own limits in each transaction; take it out"),
        ("postgresql://u:p@h/d?connect_timeout=soon", "must be a number of seconds"),
        ("postgresql://u:p@h/d?target_session_attrs=best", "must be one of any, primary"),
        ("postgresql://u:p@h/d?sslrootcert=/no/ca.pem", "?sslrootcert=…: No such file or directory (got /no/ca.pem)"),
        ("postgresql://u:p@h/d?sslkey=/no/key.pem", "needs sslcert"),
        ("mysql://u:p@h/d?ssl-mode=SURE", "?ssl-mode=…: must be one of"),
        ("mysql://u:p@h/d?charset=latin1", "stocksync speaks utf8mb4; take it out"),
        ("mysql://u:p@h/d?nonsense=1", "no option that stocksync knows for mysql; take it out"),
        ("mysql://u:p@h", "names no database"),
        ("postgresql://?service=shop", "?service=…: a service file is libpq's own; write user, host and database"),
        ("postgresql://h/d?passfile=/x", "?passfile=…: a password file is libpq's own"),
        ("postgresql://h/d?keepalives_idle=60", "?keepalives_idle=…: the driver cannot set it; take it out"),
        ("postgresql://u:p@::1/d", "an IPv6 address is written in brackets: [::1]"),
        ("mysql://u:p@tcp(h:3306)/d", "tcp(…) is how Go writes it"),
        ("mysql://u:p@h/d?unix_socket=mysqld.sock", "must be the whole path of the socket, from /"),
        ("mysql://u:p@h/d?read_default_file=x", "no option that stocksync knows for mysql; take it out"),
        ("jdbc:mysql://h/d?user=u&password=p&serverTimezone=UTC", "stocksync writes UTC, whatever the zone"),
        ("host=localhost dbname=shop", "not a database URL"),
        ("sqlite://shop.db", "with three slashes"),
        ("sqlite:///shop.db?timeout=3", "SQLite takes no options here"),
        ("oracle://u:p@h/d", "oracle is not supported"),
        ("nothing", "not a database URL"),
    ],
)
def test_what_is_not_understood_is_named_with_its_cure(given: str, named: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(given, "accounts.main.target.url")
    assert str(caught.value).startswith("accounts.main.target.url: ")
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:HUNTER2@extra@h/d",
        "postgresql://u:HUNTER2@h/d?sslpassword=HUNTER2&what=HUNTER2",
        "mysql://u:HUNTER2@h/d?ssl-mode=HUNTER2",
        "postgresql://u:HUNTER2%FF@h/d",
        "mysql://u:HUNTER2@h:x/d",
    ],
)
def test_a_refusal_shows_no_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(url, "x")
    assert "HUNTER2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "HUNTER2" not in shown(url)


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("sslmode=disable", "disable"),
        ("sslmode=allow", "allow"),
        ("sslmode=prefer", "prefer"),
        ("sslmode=require", "require"),
        ("sslmode=require&sslrootcert=system", "verify-full"),
        ("sslrootcert=CA", "verify-ca"),
        ("sslmode=require&sslrootcert=CA", "verify-ca"),
        ("sslmode=verify-ca&sslrootcert=CA", "verify-ca"),
        ("sslmode=verify-full", "verify-full"),
        ("ssl=true", "require"),
        ("ssl=1&sslmode=verify-full", "verify-full"),
        ("ssl=false", "disable"),
        ("sslmode=no-verify", "require"),
        ("", None),
    ],
)
def test_the_modes_of_tls_are_those_of_libpq(query: str, mode: str | None) -> None:
    pairs = dict(pair.split("=") for pair in query.split("&") if pair)
    found = options_of("postgresql", {key: value.replace("CA", ssl.__file__) for key, value in pairs.items()})
    assert found.problems == []
    assert found.tls.effective == mode


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("ssl-mode=REQUIRED", "require"),
        ("ssl_mode=PREFERRED", "prefer"),
        ("sslMode=VERIFY_IDENTITY", "verify-full"),
        ("ssl-mode=VERIFY_CA", "verify-ca"),
        ("ssl-mode=DISABLED", "disable"),
        ("ssl=true", "require"),
        ("useSSL=true", "require"),
        ("tls=skip-verify", "require"),
        ("sslaccept=strict", "verify-full"),
        ('ssl={"rejectUnauthorized":true}', "verify-full"),
        ("ssl_verify_identity=true", "verify-full"),
        ("ssl_disabled=true", "disable"),
        ("reconnect=true&charset=utf8mb4&serverVersion=8.0", None),
    ],
)
def test_the_modes_of_tls_that_mysql_clients_write(query: str, mode: str | None) -> None:
    found = options_of("mysql", dict(pair.split("=") for pair in query.split("&")))
    assert found.problems == []
    assert found.tls.effective == mode


def test_what_postgresql_is_told() -> None:
    query = "application_name=shop&connect_timeout=3&options=-c%20search_path%3Dshop&target_session_attrs=read-write"
    given = connect_args(parse(f"postgres://u:p@a,b:2/d?{query}&pgbouncer=true", "x"))
    assert given["server_settings"] == {"application_name": "shop", "options": "-c search_path=shop"}
    assert given["timeout"] == 3
    assert given["target_session_attrs"] == "read-write"
    assert (given["host"], given["port"]) == (["a", "b"], [5432, 2])
    assert given["statement_cache_size"] == given["prepared_statement_cache_size"] == 0
