"""Where the daemon listens is found whatever else is wrong with its configuration."""

from pathlib import Path

import pytest

from stocksync.config import http_of

DEFAULT = ("127.0.0.1", 9464)


@pytest.mark.parametrize(
    ("text", "environ", "address"),
    [
        ('[http]\nlisten = "127.0.0.1:1"\n[accounts]\nnonsense = 1', {}, ("127.0.0.1", 1)),
        ('[http]\nlisten = "127.0.0.1:1"', {"STOCKSYNC_HTTP__LISTEN": "127.0.0.1:2"}, ("127.0.0.1", 2)),
        ('[http]\nlisten = "nowhere"', {}, DEFAULT),
        ("http = 3", {}, DEFAULT),
        ("no toml", {}, DEFAULT),
        ("", {"STOCKSYNC_STATE__NONSENSE": "1"}, DEFAULT),
    ],
)
def test_the_address_is_read_from_what_is_sound(
    tmp_path: Path, text: str, environ: dict[str, str], address: tuple[str, int]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    assert http_of(file, environ).address == address
    assert http_of(tmp_path / "none.toml", {}).address == DEFAULT
