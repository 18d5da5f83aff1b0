"""What people get wrong in the first hour: for each mistake an exit code, words that help, and none that mislead."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from forge import Ended, forge
from servers import Server, free_port
from system_shop import COMMAND, SECRET, catalogue_of, merged, sql, toml, until

from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.server import Simulator
from stocksync.state.database import open_state
from stocksync.state.lockfile import LockFile
from stocksync.state.migrate import migrate

LEGACY = "CREATE TABLE legacy (qoyod_id BIGINT, wh VARCHAR(20), qty INTEGER, PRIMARY KEY (qoyod_id, wh))"
COLUMNS = {"product_id": "qoyod_id", "location": "wh", "quantity": "qty"}
MAPPED: dict[str, Any] = {
    "target": {"table": "legacy", "columns": COLUMNS, "create_table": False},
    "policy": {"on_deleted": "keep"},
}
WORDS = {"map": {"1": "MAIN", "3": "OUTLET"}}
NOBODY = 65_534
LEASE = timedelta(seconds=12)
READ = "SELECT qty FROM legacy WHERE qoyod_id = :product_id AND wh = :location"
MISLEADS = ("this is a mistake in stocksync", "Traceback", "see `stocksync check`", "that the server runs", SECRET)


@dataclass
class Stage:
    """One person's folder, Qoyod and database."""

    folder: Path
    simulator: Simulator
    stack: AsyncExitStack
    environ: dict[str, str]
    config: dict[str, Any]
    mistake: "Mistake"
    server: Server | None = None
    text: bytes | None = None
    name: str = "config.toml"
    user: int = 0
    """As whom the command runs; 0: as these tests."""

    @property
    def account(self) -> dict[str, Any]:
        found: dict[str, Any] = self.config["accounts"][0]
        return found

    @property
    def target(self) -> str:
        return self.environ["TARGET_URL"]


Spoil = Callable[[Stage], Awaitable[None] | None]


@dataclass(frozen=True)
class Mistake:
    """A situation, and what must and must not stand in the answer to it."""

    what: str
    code: int
    says: tuple[str, ...]
    never: tuple[str, ...] = ()
    account: Mapping[str, Any] = field(default_factory=dict)
    sections: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    on: str = "sqlite"
    sql: tuple[str, ...] = ()
    spoil: Spoil | None = None
    command: tuple[str, ...] = ("check",)


def statements(write: str, read: str = READ) -> dict[str, Any]:
    return {
        "target": {"statements": {"write": write, "read": read}},
        "policy": {"on_deleted": "keep"},
    }


def text(change: Callable[[bytes], bytes]) -> Spoil:
    """Change the file itself."""

    def spoil(stage: Stage) -> None:
        stage.text = change(toml(stage.config).encode())

    return spoil


def named(name: str) -> Spoil:
    """Give the configuration another name; "": there is none."""

    def spoil(stage: Stage) -> None:
        stage.name = name

    return spoil


async def unreadable(stage: Stage) -> None:
    """Make the configuration somebody else's: root's own access cannot be taken away."""
    file = stage.folder / "config.toml"
    file.write_bytes(toml(stage.config).encode())
    file.chmod(0)
    stage.folder.chmod(0o777)
    stage.name, stage.user = "", 0 if os.geteuid() else NOBODY


def locked(stage: Stage) -> None:
    """Be another process that writes to the state."""
    stateless("stocksync.db")(stage)
    stage.stack.enter_context(locking(stage.folder / "stocksync.db.lock"))


@contextmanager
def locking(file: Path) -> Iterator[None]:
    lock = LockFile(file)
    lock.acquire()
    yield
    lock.release()


async def led(stage: Stage) -> None:
    """Be the writer of the account, in a state that has no lock."""
    url = stage.target
    await migrate(url)
    stage.config["state"] = {"url": url}
    stage.environ["TARGET_URL"] = f"sqlite:///{stage.folder / 'shop.db'}"
    state = await open_state(url, timedelta(days=1))
    stage.stack.push_async_callback(state.close)
    held = await state.claim([["main"]], "shop-1:4242", LEASE)

    async def renewing() -> None:
        while True:
            await state.renew(held, LEASE)
            await asyncio.sleep(1)

    stage.stack.callback(asyncio.create_task(renewing()).cancel)


def fault(name: str) -> Spoil:
    def spoil(stage: Stage) -> None:
        stage.simulator.faults.add(name)

    return spoil


def base(change: Callable[[str], str]) -> Spoil:
    def spoil(stage: Stage) -> None:
        stage.account["base_url"] = change(stage.account["base_url"])

    return spoil


def url(change: Callable[[str], str]) -> Spoil:
    def spoil(stage: Stage) -> None:
        stage.environ["TARGET_URL"] = change(stage.target)

    return spoil


def empty_catalogue(stage: Stage) -> None:
    stage.simulator.catalogue = Catalogue(0, 3)
    stage.simulator.api.catalogue = stage.simulator.catalogue


def of(*changes: Spoil) -> Spoil:
    async def spoil(stage: Stage) -> None:
        for change in changes:
            if (waited := change(stage)) is not None:
                await waited

    return spoil


async def behind(stage: Stage, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
    """Put something of our own where Qoyod is."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    stage.stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stage.account["base_url"] = f"http://127.0.0.1:{runner.addresses[0][1]}/2.0"


async def another_day(stage: Stage) -> None:
    inner = stage.simulator.root

    async def answer(request: web.Request) -> web.StreamResponse:
        async with (
            aiohttp.ClientSession() as session,
            session.get(inner + request.path_qs, headers=request.headers) as got,
        ):
            date = format_datetime(datetime.now(UTC) + timedelta(days=30), usegmt=True)
            return web.Response(body=await got.read(), status=got.status, headers={"Date": date})

    await behind(stage, answer)


async def portal(stage: Stage) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="<!DOCTYPE html><html>Sign in to the guest network</html>", content_type="text/html")

    await behind(stage, answer)


async def elsewhere(stage: Stage) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(f"http://moved.example{request.path}")

    await behind(stage, answer)


def stateless(name: str, content: bytes | None = None) -> Spoil:
    """Name another file for the state, perhaps with something else in it."""

    def spoil(stage: Stage) -> None:
        if content is not None:
            (stage.folder / name).write_bytes(content)
        stage.config["state"] = {"url": f"sqlite:///{stage.folder / name}"}

    return spoil


async def newer_state(stage: Stage) -> None:
    stateless("newer.db")(stage)
    await sql(stage.config["state"]["url"], "CREATE TABLE stocksync_schema (version_num VARCHAR(32))")
    await sql(stage.config["state"]["url"], "INSERT INTO stocksync_schema VALUES ('9999')")


async def port_in_use(stage: Stage) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    stage.stack.push_async_callback(server.wait_closed)
    stage.stack.callback(server.close)
    stage.config["http"] = {"listen": f"127.0.0.1:{server.sockets[0].getsockname()[1]}"}


async def another_stocksync(stage: Stage) -> None:
    metrics = b'stocksync_build_info{version="0.1.0"} 1\nstocksync_authorized{account="demo"} 1\n'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer % len(metrics) + metrics)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    stage.stack.push_async_callback(server.wait_closed)
    stage.stack.callback(server.close)
    stage.config["http"] = {"listen": f"127.0.0.1:{server.sockets[0].getsockname()[1]}"}


def mute_database(stage: Stage) -> None:
    # The system accepts for who only listens, and nothing is ever answered.
    listener = stage.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    stage.environ["TARGET_URL"] = f"postgresql://shop@127.0.0.1:{listener.getsockname()[1]}/shop"


def secret_file(mode: int, content: str = SECRET) -> Spoil:
    def spoil(stage: Stage) -> None:
        file = stage.folder / "key"
        file.write_text(content)
        file.chmod(mode)
        stage.account["auth"] = {"secret_file": str(file)}

    return spoil


def clerk(grants: str, table: str = "legacy") -> Spoil:
    """Connect as somebody with fewer rights."""

    def spoil(stage: Stage) -> None:
        assert stage.server is not None
        name = stage.target.rsplit("/", 1)[1]
        known = stage.server.sql("SELECT 1 FROM pg_roles WHERE rolname = 'novice'")
        stage.server.sql("DROP OWNED BY novice" if known else "CREATE USER novice", name)
        if grants:
            stage.server.sql(f"GRANT {grants} ON {table} TO novice", name)
        stage.environ["TARGET_URL"] = stage.target.replace("stocksync@", "novice@")

    return spoil


def reader_on_mariadb(stage: Stage) -> None:
    assert stage.server is not None
    name = stage.target.rsplit("/", 1)[1]
    stage.server.sql(f"CREATE OR REPLACE USER novice@'%'; GRANT SELECT ON {name}.* TO novice@'%'")
    stage.environ["TARGET_URL"] = stage.target.replace("root@", "novice@")


def reader_of_columns_on_mariadb(stage: Stage) -> None:
    assert stage.server is not None
    name = stage.target.rsplit("/", 1)[1]
    columns = "(qoyod_id, wh, qty)"
    rights = f"SELECT {columns}, INSERT {columns}, UPDATE (qty)"
    stage.server.sql(f"CREATE OR REPLACE USER novice@'%'; GRANT {rights} ON {name}.legacy TO novice@'%'")
    stage.environ["TARGET_URL"] = stage.target.replace("root@", "novice@")


async def state_to_read(stage: Stage) -> None:
    assert stage.server is not None
    await migrate(stage.target)
    clerk("SELECT", "ALL TABLES IN SCHEMA public")(stage)
    stage.config["state"] = {"url": stage.target}
    stage.environ["TARGET_URL"] = f"sqlite:///{stage.folder / 'shop.db'}"


def wrong_password(stage: Stage) -> None:
    assert stage.server is not None
    stage.server.sql("CREATE OR REPLACE USER novice@'%' IDENTIFIED BY 'right'")
    stage.environ["TARGET_URL"] = stage.target.replace("root@", "novice:wr0ng@")


def only_reads(stage: Stage) -> None:
    assert stage.server is not None
    stage.server.sql(f"ALTER DATABASE {stage.target.rsplit('/', 1)[1]} SET default_transaction_read_only = on")


MISTAKES = [
    Mistake(
        "1 a key misspelt",
        2,
        ("accounts.main.poll.intervall", 'did you mean "interval"?', "→ correct /", "/config.toml"),
        account={"poll": {"intervall": "15m"}},
    ),
    Mistake("2 a section misspelt", 2, ('did you mean "poll"?',), account={"polling": {"interval": "15m"}}),
    Mistake("3 a duration without its unit", 2, ('such as "30s"', "got 15"), account={"poll": {"interval": 15}}),
    Mistake(
        "4 a secret in the file",
        2,
        ("never stands in the configuration", "secret_env or secret_file"),
        account={"auth": {"api_key": SECRET}},
    ),
    Mistake(
        "5 a secret for its variable's name",
        2,
        ("NAME of an environment variable",),
        account={"auth": {"secret_env": SECRET}},
    ),
    Mistake(
        "6 a password in the file",
        2,
        ("holds a password, which never stands in this file",),
        account={"target": {"url": f"postgresql://shop:{SECRET}@127.0.0.1/shop", "url_env": ""}},
    ),
    Mistake("7 a wrong --config", 2, ("nope.toml", "--config"), command=("check", "--config", "nope.toml")),
    Mistake(
        "8 no configuration at all",
        2,
        ("neither ", "config.toml", "/etc/stocksync/config.toml", "--config FILE", "STOCKSYNC_CONFIG"),
        spoil=named(""),
    ),
    Mistake(
        "9 a variable that is not set",
        2,
        ("QOYOD_API_KEY", "not set"),
        spoil=lambda stage: stage.environ.pop("QOYOD_API_KEY") and None,
    ),
    Mistake("9 a variable that is empty", 2, ("QOYOD_API_KEY", "empty"), environ={"QOYOD_API_KEY": ""}),
    Mistake(
        "10 a key with quotes around it",
        2,
        ("begins with a quote: remove it",),
        environ={"QOYOD_API_KEY": f'"{SECRET}"'},
    ),
    Mistake(
        "12 a wrong port",
        1,
        ("✗", "no PostgreSQL at 127.0.0.1:", "connection refused", "TARGET_URL"),
        ("all is well",),
        spoil=lambda stage: stage.environ.update(TARGET_URL=f"postgresql://shop@127.0.0.1:{free_port()}/shop"),
    ),
    Mistake(
        "12 a wrong port of the state",
        1,
        ("✗  state", "no PostgreSQL at 127.0.0.1:", "✓  main: credential", "✓  main: products", "✓  main: target"),
        sections={"state": {"url": f"postgresql://shop@127.0.0.1:{free_port()}/state"}},
    ),
    Mistake(
        "13 a wrong password",
        1,
        (
            "✗  main: target",
            "MariaDB at 127.0.0.1:",
            "refuses the password of user novice",
            "correct the password in TARGET_URL",
        ),
        ("wr0ng",),
        on="mariadb",
        spoil=wrong_password,
    ),
    Mistake(
        "14 a database that is not there",
        1,
        ("has no database ux_nope", "TARGET_URL"),
        on="postgresql",
        spoil=url(lambda old: old.rsplit("/", 1)[0] + "/ux_nope"),
    ),
    Mistake(
        "14 a user who is not there",
        1,
        ("nobody_of_ours",),
        on="postgresql",
        spoil=url(lambda old: old.replace("stocksync@", "nobody_of_ours@")),
    ),
    Mistake(
        "15 an @ in the password",
        2,
        ("%40",),
        ("p@ss",),
        environ={"TARGET_URL": "postgresql://shop:p@ss@127.0.0.1:5432/shop"},
    ),
    Mistake(
        "16 postgres:// as hosts hand it out",
        0,
        ("all is well",),
        on="postgresql",
        spoil=url(lambda old: old.replace("postgresql://", "postgres://")),
    ),
    Mistake(
        "17 ?sslmode=disable", 0, ("all is well",), on="postgresql", spoil=url(lambda old: old + "?sslmode=disable")
    ),
    Mistake(
        "17 ?sslmode=require of a server without",
        1,
        ("turn TLS on",),
        on="postgresql",
        spoil=url(lambda old: old + "?sslmode=require"),
    ),
    Mistake(
        "18 a table of another schema",
        1,
        ("it is in schema shop", 'table = "shop.levels"'),
        on="postgresql",
        account={"target": {"table": "levels", "create_table": False}},
        sql=("CREATE SCHEMA shop", "CREATE TABLE shop.levels (a INTEGER)", "CREATE TABLE stock_levels (a INTEGER)"),
    ),
    Mistake(
        "19 our columns on somebody's table",
        1,
        (
            "columns.product_id: table 'legacy' has no column 'product_id'",
            "columns.sku: table 'legacy' has no column 'sku'",
        ),
        ("\ufffd",),
        account={"target": {"table": "legacy", "create_table": False}},
        sql=(LEGACY,),
    ),
    Mistake(
        "20 a column misspelt",
        1,
        ("did you mean 'qty'",),
        sql=(LEGACY,),
        account=merged(MAPPED, {"target": {"columns": {"quantity": "qyt"}}}),
    ),
    Mistake(
        "21 columns without `active`",
        2,
        ('"deactivate" needs', 'on_deleted = "keep"'),
        sql=(LEGACY,),
        account={"target": {"table": "legacy", "columns": COLUMNS}},
    ),
    Mistake(
        "22 a field that is not ours",
        2,
        ("no such key", "product_id, sku"),
        account={"target": {"columns": {"qty": "qty"}}},
    ),
    Mistake(
        "23 a location that is not there",
        1,
        (
            "✓  main: credential",
            "✗  main: locations",
            "names 2, which this tenant does not have",
            "✓  main: products",
            "1 ",
        ),
        ("[2]", "✗  main: credential"),
        account={"locations": {"map": {"2": "MAIN"}}},
    ),
    Mistake(
        "24 the map the wrong way round",
        2,
        ('{ 1 = "MAIN" }',),
        ("at least one [[accounts]]",),
        account={"locations": {"map": {"MAIN": 1}}},
    ),
    Mistake(
        "25 words for an integer column",
        1,
        ("✗  main: target", "no figure of 'MAIN' can be written", "(MAIN is Main Warehouse)", "locations.map"),
        account=merged(MAPPED, {"locations": WORDS}),
        sql=(LEGACY.replace("wh VARCHAR(20)", "wh INTEGER"),),
    ),
    Mistake(
        "26 no right to write",
        1,
        ("✗  main: target", "UPDATE", "permission denied for table legacy", "GRANT", "ON legacy TO novice"),
        ("✓  main: target",),
        account=MAPPED,
        on="postgresql",
        sql=(LEGACY,),
        spoil=clerk("SELECT"),
    ),
    Mistake(
        "26 rights on the columns alone, which suffice",
        0,
        ("all is well",),
        ("!", "denied"),
        account=MAPPED,
        on="postgresql",
        sql=(LEGACY,),
        spoil=clerk("SELECT, INSERT, UPDATE (qty)"),
    ),
    Mistake(
        "26 no right to make the table",
        1,
        ("✗  main: target", "CREATE TABLE would fail", "GRANT CREATE ON SCHEMA public"),
        on="postgresql",
        spoil=clerk(""),
    ),
    Mistake(
        "26 a sequence that may not be used",
        1,
        ("permission denied for sequence", "GRANT USAGE ON SEQUENCE legacy_id_seq TO novice"),
        account=MAPPED,
        on="postgresql",
        sql=(LEGACY.replace("(qoyod_id BIGINT", "(id SERIAL, qoyod_id BIGINT"),),
        spoil=clerk("SELECT, INSERT, UPDATE"),
    ),
    Mistake(
        "26 no right to write on MariaDB",
        1,
        ("✗  main: target", "UPDATE command denied", "INSERT command denied", "GRANT"),
        ("✓  main: target",),
        account=MAPPED,
        on="mariadb",
        sql=(LEGACY,),
        spoil=reader_on_mariadb,
    ),
    Mistake(
        "26 rights on the columns alone on MariaDB, which shows them to nobody with less than the table",
        1,
        ("✗  main: target", "SHOW command denied", "GRANT SELECT on the whole table to novice"),
        account=MAPPED,
        on="mariadb",
        sql=(LEGACY,),
        spoil=reader_of_columns_on_mariadb,
    ),
    Mistake(
        "26 a server that takes no writes",
        1,
        ("✗  main: target", "takes no writes", "read-only transaction", "TARGET_URL must lead to"),
        account=MAPPED,
        on="postgresql",
        sql=(LEGACY,),
        spoil=only_reads,
    ),
    Mistake(
        "26 a SQLite file that is opened to be read",
        1,
        ("✗  main: target", "shop.db takes no writes", "mode=ro"),
        account=MAPPED,
        sql=(LEGACY,),
        spoil=url(lambda old: old.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true"),
    ),
    Mistake(
        "27 a column that must be given",
        1,
        ("✗  main: target", "title", 'missing = "skip"'),
        account=MAPPED,
        sql=(LEGACY.replace("qty INTEGER", "qty INTEGER, title VARCHAR(9) NOT NULL"),),
    ),
    Mistake(
        "27 no index",
        0,
        ("!  main: target", "no unique index covers (qoyod_id, wh)", "1 warning"),
        ("all is well",),
        account=MAPPED,
        sql=("CREATE TABLE legacy (qoyod_id BIGINT, wh VARCHAR(20), qty INTEGER)",),
    ),
    Mistake(
        "28 own SQL with a table misspelt",
        1,
        ("✗  main: target", "`write` would fail", "legaci", "target.statements"),
        account=statements("UPDATE legaci SET qty = :quantity WHERE qoyod_id = :product_id AND wh = :location"),
        sql=(LEGACY,),
    ),
    Mistake(
        "28 own SQL with an ambiguous column",
        1,
        ("`read` would fail", "ambiguous"),
        account=statements(
            "UPDATE legacy SET qty = :quantity WHERE qoyod_id = :product_id AND wh = :location",
            "SELECT qty FROM legacy a JOIN legacy b ON a.wh = b.wh WHERE a.qoyod_id = :product_id",
        ),
        sql=(LEGACY,),
    ),
    Mistake(
        "28 own SQL that casts a parameter",
        0,
        ("✓  main: target",),
        account=statements("INSERT INTO legacy VALUES (:product_id::bigint, :location::text, :quantity::int)"),
        on="postgresql",
        sql=(LEGACY,),
    ),
    Mistake(
        "28 own SQL that reads nothing back",
        2,
        ("accounts.main.target.statements.read: is needed",),
        ("audit sees nothing",),
        account=statements("UPDATE legacy SET qty = :quantity WHERE qoyod_id = :product_id AND wh = :location", ""),
    ),
    Mistake(
        "29 an interval that cannot be kept",
        0,
        ("!  main: poll", "products are", "requests a minute", "cannot be kept"),
        ("all is well",),
        account={"poll": {"interval": "1s", "requests_per_minute": 30, "per_page": 1}},
    ),
    Mistake(
        "30 a port in use", 1, ("✗  http", "address already in use", "by process"), ("all is well",), spoil=port_in_use
    ),
    Mistake(
        "30 a demo in another window has the port",
        0,
        ("!  http", "served by a stocksync for other accounts: demo", "choose another http.listen"),
        ("all is well",),
        spoil=another_stocksync,
    ),
    Mistake("31 a port for an address", 2, ("host:port",), sections={"http": {"listen": "19464"}}),
    Mistake(
        "32 open to the network without a token",
        0,
        ("!  http", "no token", "http.token_env"),
        ("all is well",),
        sections={"http": {"listen": "0.0.0.0:0"}},
    ),
    Mistake(
        "33 a folder for the state that is not there",
        1,
        ("✗  state", "no/such does not exist", "mkdir -p", "✓  main: credential", "✓  main: target"),
        spoil=stateless("no/such/state.db"),
    ),
    Mistake(
        "33 a folder for the state's file",
        1,
        ("✗  state", "is a directory; name a file in it"),
        spoil=of(lambda stage: (stage.folder / "state.db").mkdir(), stateless("state.db")),
    ),
    Mistake(
        "35 a configuration that may not be read",
        2,
        ("config.toml", "Permission denied", "the user that the service runs as"),
        spoil=unreadable,
    ),
    Mistake(
        "36 a secret's file that is not there",
        2,
        ("No such file", "put the secret there"),
        account={"auth": {"secret_env": "", "secret_file": "s/key"}},
    ),
    Mistake(
        "36 a secret that everybody may read",
        0,
        ("!  secrets", "0644", "chmod 600"),
        ("all is well",),
        spoil=secret_file(0o644),
    ),
    Mistake("36 a secret that its owner alone may read", 0, ("all is well",), ("!",), spoil=secret_file(0o600)),
    Mistake(
        "37 systemd's folder without systemd",
        2,
        ("CREDENTIALS_DIRECTORY", "set by systemd"),
        account={"auth": {"secret_env": "", "secret_file": "$CREDENTIALS_DIRECTORY/key"}},
    ),
    Mistake(
        "38 the state of a newer version",
        1,
        ("✗  state", "newer", "install that version", "✓  main: target"),
        ("→",),
        spoil=newer_state,
    ),
    Mistake(
        "38 the state of a newer version, migrated",
        2,
        ("newer", "install that version"),
        ("9999'",),
        spoil=newer_state,
        command=("migrate",),
    ),
    Mistake(
        "39 a state that is no database",
        1,
        ("✗  state", "notes.txt", "is not a SQLite database", "✓  main: target"),
        spoil=stateless("notes.txt", b"dear diary" * 999),
    ),
    Mistake(
        "39 a state that is no database, in once",
        2,
        ("state.url: ", "notes.txt is not a database", "name another file"),
        spoil=stateless("notes.txt", b"dear diary" * 999),
        command=("once",),
    ),
    Mistake(
        "40 a target's folder that is not there",
        1,
        ("✗  main: target", "no/such does not exist"),
        environ={"TARGET_URL": "sqlite:///no/such/shop.db"},
    ),
    Mistake(
        "41 /v2 for /2.0", 1, ("base_url, which ends in /2.0",), spoil=base(lambda old: old.replace("/2.0", "/v2"))
    ),
    Mistake("42 no scheme", 2, ("web address such as https://",), spoil=base(lambda old: old.removeprefix("http://"))),
    Mistake(
        "43 https for http",
        1,
        ("http:// instead of https://",),
        ("_ssl.c",),
        spoil=base(lambda old: old.replace("http://", "https://")),
    ),
    Mistake(
        "44 nothing listens there",
        1,
        ("no connection to 127.0.0.1", "base_url"),
        ("ssl:default",),
        spoil=base(lambda _: f"http://127.0.0.1:{free_port()}/2.0"),
    ),
    Mistake(
        "45 a key that was revoked",
        1,
        ("✗  main: credential", "make a key in Qoyod", "✓  main: target"),
        environ={"QOYOD_API_KEY": "expired"},
    ),
    Mistake(
        "45 a key that was revoked, in once",
        1,
        ("refuses the credential", "make a key in Qoyod"),
        environ={"QOYOD_API_KEY": "expired"},
        command=("once",),
    ),
    Mistake(
        "48 a database that accepts and says nothing",
        1,
        ("✗  main: target", "no answer within"),
        spoil=mute_database,
        command=("check", "--timeout", "4"),
    ),
    Mistake("46 a captive portal", 1, ("a web page came instead of data", "captive portal"), spoil=portal),
    Mistake("47 a redirect", 1, ("sends elsewhere (307)", "http://moved.example"), spoil=elsewhere),
    Mistake(
        "48 a black hole",
        1,
        ("no answer within ", "not tried: the 2 s of --timeout"),
        ("all is well",),
        spoil=fault("all=slow:60"),
        command=("check", "--timeout", "2"),
    ),
    Mistake(
        "48 a storm of 429s",
        1,
        ("Qoyod asks to wait 60 s (429)", "try again later", "✓  main: target"),
        spoil=fault("all=429"),
    ),
    Mistake(
        "49 an empty catalogue",
        0,
        ("!  main: products", "found nothing", "wrong key or filter"),
        ("all is well",),
        spoil=empty_catalogue,
    ),
    Mistake(
        "50 a clock 30 days off", 0, ("!  main: clock", "30 days behind Qoyod's"), ("all is well",), spoil=another_day
    ),
    Mistake("51 a BOM", 0, ("all is well",), spoil=text(lambda content: b"\xef\xbb\xbf" + content)),
    Mistake(
        "52 UTF-16", 2, ("UTF-16", "save it as UTF-8"), spoil=text(lambda content: content.decode().encode("utf-16"))
    ),
    Mistake(
        "53 typographic quotes",
        2,
        ("typographic quote", "line "),
        spoil=text(lambda content: content.replace(b'"main"', "“main”".encode())),
    ),
    Mistake(
        "54 two accounts of one name",
        2,
        ("is given 2 times",),
        spoil=lambda stage: stage.config["accounts"].append(stage.account),
    ),
    Mistake(
        "56 a second writer on a SQLite state",
        1,
        ("in use by process ", "stop it"),
        spoil=locked,
        command=("once",),
    ),
    Mistake(
        "57 once beside a daemon on a server",
        1,
        ("another process is the writer", "stop it or wait", "stocksync plan"),
        on="postgresql",
        spoil=led,
        command=("once",),
    ),
    Mistake("55 an account's name in Arabic", 2, ("1 to 64 of a-z",), account={"name": "متجر"}),
    Mistake(
        "59 a variable with one underscore",
        2,
        ("STOCKSYNC_STATE_URL", "STOCKSYNC_STATE__URL"),
        environ={"STOCKSYNC_STATE_URL": "sqlite:///x.db"},
    ),
    Mistake(
        "60 the variable that names the file",
        0,
        ("all is well", "elsewhere.toml"),
        environ={"STOCKSYNC_CONFIG": "elsewhere.toml"},
        spoil=named("elsewhere.toml"),
    ),
    Mistake(
        "60 the variable names a file that is not there",
        2,
        ("nope.toml", "STOCKSYNC_CONFIG"),
        environ={"STOCKSYNC_CONFIG": "nope.toml"},
    ),
    Mistake("61 an account that is not there", 2, ("main",), command=("check", "--account", "nope")),
    Mistake("61 a command misspelt", 2, ("check",), command=("chekc",)),
]


@pytest.fixture
async def stage(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    mistake: Mistake = request.param
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator(catalogue_of(4), api_key=SECRET, rate_limit=None))
        server: Server | None = None
        target = f"sqlite:///{tmp_path / 'shop.db'}"
        if mistake.on != "sqlite":
            server = request.getfixturevalue(f"{mistake.on}_server")
            target = server.new_database()
            stack.callback(server.drop_database, target)
        account = {
            "name": "main",
            "base_url": simulator.url,
            "auth": {"secret_env": "QOYOD_API_KEY"},
            "target": {"url_env": "TARGET_URL", "create_table": True},
        }
        listen = {"http": {"listen": f"127.0.0.1:{free_port()}"}}
        whole = merged(account, mistake.account)
        if "statements" in whole["target"]:
            del whole["target"]["create_table"]
        config = merged({**listen, "accounts": [whole]}, mistake.sections)
        environ = {"QOYOD_API_KEY": SECRET, "TARGET_URL": target, "COLUMNS": "250", **mistake.environ}
        made = Stage(tmp_path, simulator, stack, environ, config, mistake, server)
        for statement in mistake.sql:
            await sql(target, statement)
        if mistake.spoil is not None and (waited := mistake.spoil(made)) is not None:
            await waited
        if made.name:
            (tmp_path / made.name).write_bytes(toml(made.config).encode() if made.text is None else made.text)
        yield made


@pytest.mark.parametrize("stage", MISTAKES, ids=lambda one: one.what, indirect=True)
async def test_the_mistakes_of_the_first_hour(stage: Stage) -> None:
    mistake = stage.mistake
    ended = await typed(stage, *mistake.command)
    answer = ended.out + ended.err
    assert ended.code == mistake.code, answer
    missing = [words for words in mistake.says if words not in answer]
    wrong = [words for words in (*MISLEADS, *mistake.never) if words in answer]
    assert (missing, wrong) == ([], []), answer


async def typed(stage: Stage, *argv: str) -> Ended:
    return await forge().command(argv, stage.folder, stage.environ, user=stage.user)


KNOWN_TO = Mistake("62 a SKU in other letters", 4, ())
NEARLY = {"p-01": "P-01", " P-02 ": "P-02", "P-O1": "P-01", "P02": "P-02", "3": "P-03", "product 4": "P-04"}


@pytest.mark.parametrize("stage", [KNOWN_TO], ids=lambda one: one.what, indirect=True)
async def test_a_sku_that_nobody_knows_is_asked_back(stage: Stage) -> None:
    assert (await typed(stage, "once")).code == 0
    for command in ("explain", "history", "stock", "retry"):
        for sku, meant in NEARLY.items() if command == "explain" else [("p-01", "P-01")]:
            ended = await typed(stage, command, sku)
            assert (ended.code, ended.out, len(ended.err.splitlines())) == (4, "", 1), ended
            assert f"did you mean {meant}" in ended.err
    far = await typed(stage, "explain", "NOTHING LIKE IT")
    assert (far.code, "did you mean" in far.err) == (4, False)
    assert "stocksync stock 'NOTHING LIKE IT'" in far.err


@pytest.mark.parametrize("stage", [Mistake("58 Ctrl-C", 130, ())], ids=["58 Ctrl-C in the first fill"], indirect=True)
async def test_an_interrupted_command_ends_quietly_and_the_next_one_goes_on(stage: Stage) -> None:
    stage.simulator.faults.add("list=slow:60")
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "once", cwd=stage.folder, env={**os.environ, **stage.environ},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await until(lambda: stage.simulator.requests, "a request")
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert err.decode().splitlines() == ["stopped; nothing is half-written"]
    stage.simulator.faults.clear()
    assert (await typed(stage, "once")).code == 0


@pytest.mark.parametrize(
    "stage", [Mistake("somebody's SQLite file", 0, (), account=MAPPED, sql=(LEGACY,))], indirect=True
)
async def test_a_sqlite_file_of_somebody_else_keeps_its_journal(stage: Stage) -> None:
    """Write-ahead, once chosen, is kept in the file, and who may only read it can no longer do so."""
    file = stage.folder / "shop.db"
    before = file.read_bytes()
    for command in (("check",), ("plan",), ("once", "--dry-run")):
        assert (await typed(stage, *command)).code == 0
    assert file.read_bytes() == before


DRIVERLESS = Mistake("no driver", 1, (), environ={"TARGET_URL": "postgresql://shop@127.0.0.1/shop"})


@pytest.mark.parametrize("stage", [DRIVERLESS], ids=["11 a driver that is not installed"], indirect=True)
async def test_a_missing_driver_is_named_and_the_rest_tried(stage: Stage) -> None:
    (stage.folder / "asyncpg.py").write_text("raise ModuleNotFoundError(name='asyncpg')")
    ended = await piped(stage, "{stocksync} check", PYTHONPATH=str(stage.folder))
    assert ended.code == 1
    assert "✗  main: target            the PostgreSQL driver is not installed" in ended.out
    assert "→ pip install 'stocksync[postgresql]'" in ended.out
    assert "✓  main: products" in ended.out


@pytest.mark.parametrize("stage", [Mistake("head", 0, ())], ids=["check | head"], indirect=True)
async def test_a_reader_who_has_seen_enough_is_told_no_more(stage: Stage) -> None:
    ended = await piped(stage, "{stocksync} check | head -1")
    assert (ended.code, ended.err) == (0, "")
    assert len(ended.out.splitlines()) == 1


async def piped(stage: Stage, line: str, **environ: str) -> Ended:
    """Run a line of shell, as a person types it."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("STOCKSYNC_")}
    process = await asyncio.create_subprocess_shell(
        line.format(stocksync=COMMAND[0]),
        cwd=stage.folder,
        env={**clean, **stage.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())
