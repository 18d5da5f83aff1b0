"""What keeps a SQLite file from being there, in words."""

import os
from pathlib import Path
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


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
@pytest.mark.parametrize("barred", ["folder", "file"])
def test_what_may_not_be_written_names_its_owner_and_who_we_are(barred):
    with TemporaryDirectory() as name:  # pytest's own folders let no other user in
        folder = Path(name)
        file = folder / "state.db"
        file.touch(mode=0o644)
        folder.chmod(0o777 if barred == "file" else 0o755)
        os.seteuid(65534)
        try:
            words = obstacle(file)
        finally:
            os.seteuid(0)
    assert words is not None
    assert words.startswith(f"the {barred} {folder if barred == 'folder' else file} may not be written by user ")
    assert "root" in words


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
