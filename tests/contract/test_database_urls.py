"""When one transaction may span state and target: only where their URLs say the very same."""

import pytest

from stocksync.sqlengine import parse, same_database

URL = "postgresql://shop:secret@db.example:5432/shop"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (URL, URL, True),
        (URL, URL.replace("shop:", "stocksync:"), False),
        (URL, URL.replace("secret", "other"), False),
        (URL, URL.replace("5432", "5433"), False),
        (URL, f"{URL}?host=/run/postgresql", False),
        (URL, f"{URL}?options=-csearch_path%3Dother", False),
        ("mysql://a@h/db", "mysql://a@h/db?unix_socket=/run/sock", False),
        ("sqlite:////data/a.db", "sqlite:////data/a.db", True),
        ("sqlite:////data/a.db", "sqlite:////data/b.db", False),
        ("sqlite://", "sqlite://", False),
    ],
)
def test_any_difference_makes_two_databases(one: str, other: str, same: bool) -> None:
    assert same_database(parse(one, "state.url"), parse(other, "target.url")) is same
