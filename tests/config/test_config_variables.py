"""Every STOCKSYNC_* variable means something, or is a mistake that is named with what was meant."""

import pytest

from stocksync.config import effective, load
from stocksync.errors import ConfigurationError

KUBERNETES = {
    "STOCKSYNC_SERVICE_HOST": "10.96.0.12",
    "STOCKSYNC_SERVICE_PORT": "9464",
    "STOCKSYNC_SERVICE_PORT_HTTP": "9464",
    "STOCKSYNC_PORT": "tcp://10.96.0.12:9464",
    "STOCKSYNC_PORT_9464_TCP": "tcp://10.96.0.12:9464",
    "STOCKSYNC_PORT_9464_TCP_PROTO": "tcp",
    "STOCKSYNC_PORT_9464_TCP_PORT": "9464",
    "STOCKSYNC_PORT_9464_TCP_ADDR": "10.96.0.12",
    "STOCKSYNC_DB_SERVICE_HOST": "10.96.0.13",
    "STOCKSYNC_DB_PORT": "tcp://10.96.0.13:5432",
}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("STOCKSYNC_STATE_URL", "stocksync knows no such variable; did you mean STOCKSYNC_STATE__URL?"),
        ("STOCKSYNC_STAT__URL", "no such section; did you mean STOCKSYNC_STATE__URL?"),
        ("STOCKSYNC_LOGLEVEL", "stocksync knows no such variable; did you mean STOCKSYNC_LOG__LEVEL?"),
        ("STOCKSYNC_HTTP_PORT", "stocksync knows no such variable"),
        ("STOCKSYNC_CONFIG_FILE", "stocksync knows no such variable; did you mean STOCKSYNC_CONFIG?"),
        ("STOCKSYNC_ACCOUNTS_MAIN_POLL_INTERVAL", "did you mean STOCKSYNC_ACCOUNTS__MAIN__POLL__INTERVAL?"),
        ("STOCKSYNC_ACCOUNT__MAIN__PROXY", "no such section; did you mean STOCKSYNC_ACCOUNTS__MAIN__PROXY?"),
        ("stocksync_state_url", "did you mean STOCKSYNC_STATE__URL?"),
        ("STOCKSYNC_QOYOD_KEY", "stocksync knows no such variable"),
        ("STOCKSYNC_", "stocksync knows no such variable"),
    ],
)
def test_what_means_nothing_is_named_with_what_was_meant(problems, minimal, name, line):
    (told,) = problems(minimal, **{name: "17"})
    assert told.startswith(f"{name}: ")
    assert line in told
    assert "17" not in told


def test_what_the_configuration_names_itself_and_what_kubernetes_sets_is_none_of_our_business(loaded, minimal):
    text = minimal.replace("QOYOD_API_KEY", "STOCKSYNC_KEY") + '[http]\ntoken_env = "STOCKSYNC_TOKEN"\n'
    config = loaded(text, STOCKSYNC_KEY="a-key", STOCKSYNC_TOKEN="a-token", **KUBERNETES)
    assert config.http.token.read() == "a-token"


def test_a_variable_may_name_another_one(loaded, minimal):
    config = loaded(minimal, STOCKSYNC_STATE__URL_ENV="STOCKSYNC_DB", STOCKSYNC_DB="sqlite:////srv/x.db")
    assert config.state.dsn() == "sqlite:////srv/x.db"


def test_the_file_may_be_named_by_a_variable_and_the_option_wins(tmp_path, monkeypatch, minimal):
    monkeypatch.chdir(tmp_path)
    named, other = tmp_path / "named.toml", tmp_path / "other.toml"
    named.write_text(minimal, encoding="utf-8")
    other.write_text(minimal.replace('"main"', '"other"'), encoding="utf-8")
    environ = {"QOYOD_API_KEY": "a-key", "STOCKSYNC_CONFIG": str(named)}
    assert load(None, environ).accounts[0].name == "main"
    assert load(other, environ).accounts[0].name == "other"
    with pytest.raises(ConfigurationError, match="No such file or directory; is STOCKSYNC_CONFIG right"):
        load(None, environ | {"STOCKSYNC_CONFIG": "nowhere.toml"})


@pytest.mark.parametrize(
    ("given", "folder", "url"),
    [
        ("sqlite:///stocksync.db", "/var/lib/stocksync", "sqlite:////var/lib/stocksync/stocksync.db"),
        ("sqlite:///sub/a b.db", "/var/lib/a:/var/lib/b", "sqlite:////var/lib/a/sub/a b.db"),
        ("sqlite:///stocksync.db", "", "sqlite:///stocksync.db"),
        ("sqlite:////srv/state.db", "/var/lib/stocksync", "sqlite:////srv/state.db"),
        ("sqlite://", "/var/lib/stocksync", "sqlite://"),
        ("sqlite:///:memory:", "/var/lib/stocksync", "sqlite:///:memory:"),
        ("postgresql://sync@db/state", "/var/lib/stocksync", "postgresql://sync@db/state"),
    ],
)
def test_under_systemd_a_relative_state_stands_in_its_state_directory(loaded, minimal, given, folder, url):
    config = loaded(f'{minimal}\n[state]\nurl = "{given}"\n', STATE_DIRECTORY=folder)
    assert config.state.dsn() == url
    assert config.accounts[0].target.dsn() == "sqlite:///shop.db", "the target's place is a person's"


def test_what_is_in_force_names_the_databases_that_variables_lead_to(loaded, minimal):
    text = minimal.replace('url = "sqlite:///shop.db"', 'url_env = "TARGET_DATABASE_URL"')
    values = effective(loaded(text, STATE_DIRECTORY="/var/lib/stocksync"))
    assert values["state"]["url"] == "sqlite:////var/lib/stocksync/stocksync.db"
    assert values["accounts"][0]["target"]["url"] == "postgresql://shop:***@db/shop"
