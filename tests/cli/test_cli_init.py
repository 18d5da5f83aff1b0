"""`init`: from a key and a database to a configuration that works."""

import asyncio
import os
import pty
import stat
import sys
import tomllib
from contextlib import suppress

import pytest

from stocksync.simulator.server import API_KEY
from stocksync.sqlengine import close_engine, open_engine, writing

SHOP = (
    "CREATE SCHEMA shop",
    "CREATE TABLE shop.stock (id serial PRIMARY KEY, sku text UNIQUE, qty numeric(12,3) NOT NULL, warehouse text)",
    "CREATE TABLE customers (id serial PRIMARY KEY, code text)",
    "INSERT INTO shop.stock (sku, qty, warehouse) VALUES ('OLD-1', 1, 'MAIN'), ('OLD-2', 1, 'OUTLET')",
)


@pytest.fixture
async def shop(postgresql_url):
    engine = open_engine(postgresql_url, "target")
    async with writing(engine) as connection:
        for statement in SHOP:
            await connection.exec_driver_sql(statement)
    await close_engine(engine)
    return postgresql_url


def written(folder):
    return tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))["accounts"][0]


async def test_on_the_embedded_default_a_key_is_enough(command, qoyod, tmp_path):
    ended = await command("init", "--yes", "--base-url", qoyod.url)
    assert ended.code == 0, ended.err
    assert "✓  the key is accepted: 60 products, 2 locations" in ended.out
    assert "would write" in ended.out
    account = written(tmp_path)
    assert account["auth"] == {"secret_env": "QOYOD_API_KEY"}
    assert account["target"] == {"url": "sqlite:///stock.db", "create_table": True}
    assert API_KEY not in (tmp_path / "config.toml").read_text(encoding="utf-8")
    before = (tmp_path / "config.toml").read_bytes()
    again = await command("init", "--yes", "--base-url", qoyod.url)
    assert (again.code, "overwrites nothing" in again.err) == (2, True)
    assert (tmp_path / "config.toml").read_bytes() == before
    assert (await command("once")).code == 0


async def test_a_shop_s_own_table_is_found_mapped_and_left_to_its_rows(command, qoyod, tmp_path, shop):
    ended = await command("init", "--yes", "--base-url", qoyod.url, TARGET_DATABASE_URL=shop)
    assert ended.code == 0, ended.out + ended.err
    account = written(tmp_path)
    assert account["target"] == {
        "url_env": "TARGET_DATABASE_URL",
        "table": "shop.stock",
        "match_by": "sku",
        "missing": "skip",
        "columns": {"sku": "sku", "location": "warehouse", "quantity": "qty"},
    }
    assert account["locations"] == {"map": {"1": "MAIN", "3": "OUTLET"}, "unmapped": "ignore"}
    assert account["policy"] == {"on_deleted": "keep"}


@pytest.mark.parametrize(
    "case",
    [
        ("", "", "no API key: export QOYOD_API_KEY, or give --key-file"),
        ("", "wrong", "401"),
        ("--map MAIN=1", API_KEY, "not ID=VALUE"),
        (
            "--target postgresql://shop:pw@127.0.0.1:1/shop",
            API_KEY,
            "no PostgreSQL at 127.0.0.1:1 (connection refused)",
        ),
        ("--target oracle://x", API_KEY, "oracle is not supported"),
    ],
)
async def test_what_cannot_work_is_said_and_nothing_is_written(command, tmp_path, qoyod, case):
    arguments, key, words = case
    ended = await command("init", "--yes", "--base-url", qoyod.url, *arguments.split(), QOYOD_API_KEY=key)
    assert ended.code in {1, 2}
    assert words in ended.err
    assert {file.name for file in tmp_path.iterdir()} <= {"out", "err"}, "the next try finds nothing in its way"


async def test_a_secret_that_is_there_already_is_not_written_over(command, tmp_path, qoyod):
    (tmp_path / "target-url").write_text("mine", encoding="utf-8")
    target = "postgresql://shop:pw@127.0.0.1:1/shop"
    ended = await command("init", "--yes", "--base-url", qoyod.url, "--target", target)
    assert (ended.code, "take it with --target-file target-url, or remove it" in ended.err) == (2, True)
    assert (tmp_path / "target-url").read_text(encoding="utf-8") == "mine"


async def test_a_person_is_asked_and_what_is_secret_goes_into_files_of_its_own(request, qoyod, tmp_path, shop):
    master, slave = pty.openpty()
    environ = {key: value for key, value in os.environ.items() if not key.startswith("STOCKSYNC_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stocksync", "init", "--base-url", qoyod.url, cwd=tmp_path,
        env={**environ, "COLUMNS": "100", "TERM": "xterm"}, stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    heard = Conversation(master)
    request.addfinalizer(lambda: process.returncode is None and process.kill())
    answers = {
        "API key": API_KEY, "target's URL": with_password(shop), "Which table": "", "Column of product_id": "",
        "Column of sku": "", "Column of location": "", "Column of quantity": "", "Column of updated_at": "",
        "Column of active": "", "Value of 1": "", "Value of 3": "",
    }  # fmt: skip
    for question, answer in answers.items():
        if question == "Column of quantity":
            await heard.answer(question, "qtty")
            await heard.until("shop.stock has no column qtty")
        await heard.answer(question, answer)
    await heard.until("would write")
    assert await process.wait() == 0
    account = written(tmp_path)
    assert account["auth"] == {"secret_file": str(tmp_path / "qoyod-api-key")}
    assert account["target"]["url_file"] == str(tmp_path / "target-url")
    assert account["target"]["table"] == "shop.stock"
    assert "its columns: " in heard.text
    for file in ("qoyod-api-key", "target-url"):
        assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600
    assert API_KEY not in heard.text
    assert "p-a-s-s" not in heard.text


def with_password(url):
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.replace('@', ':p-a-s-s@', 1)}"


class Conversation:
    """What a terminal shows, as it comes."""

    def __init__(self, descriptor):
        self.text = ""
        self._descriptor = descriptor
        self._seen = 0
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self):
        try:
            self.text += os.read(self._descriptor, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._news.set()

    async def until(self, words, end=""):
        with suppress(TimeoutError):
            async with asyncio.timeout(40):
                while words not in self.text[self._seen :] or not self.text.endswith(end):
                    self._news.clear()
                    await self._news.wait()
        assert words in self.text[self._seen :], self.text
        # Not to the end of the text: the next question may have come with it.
        self._seen = self.text.index(words, self._seen) + len(words)

    async def answer(self, question, words):
        # The blank behind a question comes when the terminal no longer echoes; what is typed before is thrown away.
        await self.until(question, end=": ")
        os.write(self._descriptor, (words + "\n").encode())
