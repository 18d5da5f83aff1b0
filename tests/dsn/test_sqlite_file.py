"""What keeps a SQLite file from being there, in words."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import make_url

from stocksync.dsn.sqlite_file import file_of, obstacle


def test_a_file_that_is_there_or_can_be_made_is_well(tmp_path):
    assert obstacle(tmp_path / "new.db") is None
    (tmp_path / "old.db").touch()
    assert obstacle(tmp_path / "old.db") is None


def test_each_obstacle_comes_with_its_cure(tmp_path):
    (tmp_path / "file").touch()
    assert obstacle(tmp_path) == f"{tmp_path} is a directory; name a file in it"
    assert f"does not exist: mkdir -p {tmp_path / 'a' / 'b'}" in obstacle(tmp_path / "a" / "b" / "state.db")
    assert "is no folder" in obstacle(tmp_path / "file" / "state.db")


@pytest.mark.parametrize(
    ("content", "may_be"),
    [(b"", True), (b"name,stock", False), (b"PK\3\4" * 2_000, False), (b"SQLite format 3\0", False)],
)
def test_a_file_of_something_else_is_no_database(tmp_path, content, may_be):
    file = tmp_path / "a?b%20.db"
    file.write_bytes(content)
    assert obstacle(file) == (None if may_be else f"{file} is not a database: name another file")


READS, WRITES = "SELECT figure FROM stock", "INSERT INTO stock VALUES (2)"


def another_program(file, statement):
    text = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1], timeout=0) as beside: beside.execute(sys.argv[2])"
    done = run([sys.executable, "-c", text, file, statement], check=False, capture_output=True, text=True)
    return done.stderr.strip().rpartition(": ")[2]


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_to_look_at_a_file_leaves_the_locks_of_who_uses_it(tmp_path, journal):
    """Else another program removes the log of a running daemon, or writes into the midst of its transaction."""
    file = tmp_path / "state.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as ours:
        ours.execute(f"PRAGMA journal_mode={journal}")
        ours.execute("CREATE TABLE stock (figure)")
        ours.execute("INSERT INTO stock VALUES (1)")
        assert obstacle(file) is None
        assert another_program(file, READS) == ""
        assert Path(f"{file}-wal").exists() == (journal == "wal")
        ours.execute("BEGIN IMMEDIATE")
        assert obstacle(file) is None
        assert another_program(file, WRITES) == "database is locked"


def _told_to_another_user(file: Path) -> str | None:
    os.seteuid(65534)
    try:
        return obstacle(file)
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
@pytest.mark.parametrize("barred", ["folder", "file"])
def test_what_may_not_be_written_names_its_owner_and_who_we_are(barred):
    with TemporaryDirectory() as name:  # pytest's own folders let no other user in
        folder = Path(name)
        file = folder / "state.db"
        file.touch(mode=0o644)
        folder.chmod(0o777 if barred == "file" else 0o755)
        words = _told_to_another_user(file)
    assert words is not None
    assert words.startswith(f"the {barred} {folder if barred == 'folder' else file} may not be written by user ")
    assert "root" in words


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_a_folder_that_may_not_be_looked_into_is_said_so():
    with TemporaryDirectory() as name:  # of mode 0700
        file = Path(name) / "state.db"
        words = _told_to_another_user(file)
    assert words is not None
    assert words.endswith(f" may not look for {file}: run as the owner of its folder")


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////var/lib/stocksync/state.db", "/var/lib/stocksync/state.db"),
        ("sqlite:///file:/srv/x.db?mode=ro&uri=true", "/srv/x.db"),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("postgresql://host/database", None),
    ],
)
def test_the_file_of_a_url(url, file):
    found = file_of(make_url(url))
    assert (None if found is None else str(found)) == file
