"""What editors, copying and quoting leave in configuration and secrets: understood, or named with its position."""

import pytest

from stocksync.config import SecretRef, load
from stocksync.errors import ConfigurationError

ENVIRON = {"QOYOD_API_KEY": "s3cr3t"}


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfkey\r\n", b"key", b" key\n\n", "\u00a0key\u00a0\n".encode()])
def test_a_secret_is_read_without_mark_line_end_and_space_around_it(tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content)
    assert SecretRef("x", file=str(path)).read() == "key"


def test_a_mark_before_a_secret_in_a_variable_is_left_out():
    assert SecretRef("x", env="KEY", environ={"KEY": "\ufeffkey"}).read() == "key"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ('"HUNTER2"', "the value begins with a quote: remove it"),
        ("'HUNTER2", "the value begins with a quote"),
        ("HUNTER2\u201d", "the value ends with a quote"),
        ("HUN\u200bTER2", r"zero width space, U\+200B\) as character 4: remove it"),
        ("HUNTER\u00a02", r"no-break space, U\+00A0\) as character 7"),
        ("\u200fHUNTER2", r"right-to-left mark, U\+200F\) as character 1"),
    ],
)
def test_what_is_not_seen_in_a_secret_is_named_and_the_secret_is_not(value, named):
    with pytest.raises(ConfigurationError, match=named) as caught:
        SecretRef("x", env="KEY", environ={"KEY": value}).read()
    assert "HUNTER2" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_configuration_in_utf_16_is_named(tmp_path, minimal, encoding):
    path = tmp_path / "config.toml"
    path.write_bytes(minimal.encode(encoding))
    with pytest.raises(ConfigurationError, match="is UTF-16 text: save it as UTF-8"):
        load(path, ENVIRON)


def test_a_byte_order_mark_before_the_configuration_is_understood(loaded, minimal):
    assert loaded(f"\ufeff{minimal}").accounts[0].name == "main"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"main"', "\u201cmain\u201d", "line 3, column 8: a typographic quote \u201c: write a plain one"),
        ('"main"', '"ma\u200bin"', "line 3, column 11: an invisible character (zero width space, U+200B): remove it"),
        ("name =", "name\u00a0=", "line 3, column 5: an invisible character (no-break space, U+00A0)"),
        ('"main"', '"main" # \u201ca comment\u200f\u201d', ""),
        ('"main"', '"main"\ntitle = "\\u200F متجر “الرياض” می\u200cشود"', ""),
    ],
)
def test_what_is_not_seen_in_the_configuration_is_named_with_its_position(tmp_path, minimal, old, new, named):
    path = tmp_path / "config.toml"
    path.write_text(minimal.replace(old, new, 1), encoding="utf-8")
    try:
        load(path, ENVIRON)
    except ConfigurationError as error:
        told = "\n".join(error.problems)
    else:
        told = ""
    assert named in told if named else not told
    assert bool(named) == ("line 3" in told)


def test_a_quoted_value_in_the_environment_is_named(problems, minimal):
    told = problems(minimal, STOCKSYNC_LOG__LEVEL='"info"')
    assert any("STOCKSYNC_LOG__LEVEL: the value begins with a quote: remove it" in line for line in told)
