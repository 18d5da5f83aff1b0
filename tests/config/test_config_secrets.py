"""Secrets come from the environment or a file, and are seen nowhere else."""

import pytest

from stocksync.config import SecretRef, effective
from stocksync.errors import ConfigurationError

PASTED = "a8f5-pasted-by-mistake"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('secret_env = "QOYOD_API_KEY"', f'secret = "{PASTED}"'),
        ('secret_env = "QOYOD_API_KEY"', f'api_key = "{PASTED}"'),
        ('secret_env = "QOYOD_API_KEY"', f'client_secret = "{PASTED}"\nsecret_env = "QOYOD_API_KEY"'),
        ('secret_env = "QOYOD_API_KEY"', f'secret_env = "{PASTED}"'),
        ('secret_env = "QOYOD_API_KEY"', f'secret_file = "{PASTED}"'),
        ('secret_env = "QOYOD_API_KEY"', f'secret_env = "QOYOD_API_KEY"\nscheme = "oauth2"\nclient_id = ["{PASTED}"]'),
        ('[accounts.auth]\nsecret_env = "QOYOD_API_KEY"', f'auth = "{PASTED}"'),
        ("sqlite:///shop.db", f"postgresql://shop:{PASTED}@db/shop"),
        ("sqlite:///shop.db", f"postgresql://shop@db/shop?password={PASTED}"),
        ("sqlite:///shop.db", f"no url {PASTED}"),
        ('url = "sqlite:///shop.db"', f'url_env = "postgresql://shop:{PASTED}@db/shop"'),
        ('url = "sqlite:///shop.db"', f'password = "{PASTED}"\nurl = "sqlite:///shop.db"'),
        ('name = "main"', f'name = "main"\nbase_url = "https://user:{PASTED}@api.qoyod.com/2.0"'),
        ('name = "main"', f'name = "main"\nqoyod_token = "{PASTED}"'),
        ('name = "main"', f'name = "main"\nsomething = "{PASTED}"'),
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_shown(problems, minimal, old, new):
    assert old in minimal
    told = problems(minimal.replace(old, new))
    assert told
    assert PASTED not in "\n".join(told)


def test_the_refusal_says_what_to_do(problems, minimal):
    told = problems(minimal.replace('secret_env = "QOYOD_API_KEY"', f'secret = "{PASTED}"'))
    assert told == (
        (
            "accounts.main.auth.secret: a secret never stands in the configuration: put it into an "
            "environment variable or a file, and name that in secret_env or secret_file"
        ),
    )
    told = problems(minimal.replace("sqlite:///shop.db", f"mysql://shop:{PASTED}@db/shop"))
    assert len(told) == 1
    assert "name that in url_env" in told[0]


def test_a_url_with_a_password_may_come_from_the_environment_and_is_masked(loaded, minimal):
    text = minimal.replace('url = "sqlite:///shop.db"', 'url_env = "TARGET_DATABASE_URL"')
    config = loaded(
        text,
        STOCKSYNC_STATE__URL="postgresql://sync:hunter2@db/state?password=hunter2&application_name=hunter2",
        TARGET_DATABASE_URL="mysql://shop:hunter2@db/shop",
    )
    assert config.accounts[0].target.dsn() == "mysql://shop:hunter2@db/shop"
    everything = f"{config!r} {config} {effective(config)} {config.accounts[0].auth.secret!r}"
    assert "hunter2" not in everything
    assert "s3cr3t" not in everything
    assert effective(config)["state"]["url"] == "postgresql://sync:***@db/state?…"
    assert effective(config)["accounts"][0]["poll"]["interval"] == "15m"
    assert effective(config)["accounts"][0]["guards"]["zeroed"] == "15%"


def test_a_password_in_a_variable_is_not_shown_where_its_url_is_bad(problems, minimal):
    text = minimal.replace('url = "sqlite:///shop.db"', 'url_env = "TARGET_DATABASE_URL"')
    told = problems(text, TARGET_DATABASE_URL="oracle://shop:hunter2@db/shop")
    assert told[0].startswith("accounts.main.target.url_env: oracle is not supported")
    assert "hunter2" not in told[0]


def test_a_secret_file_is_read_anew_each_time(loaded, minimal, tmp_path):
    path = tmp_path / "key"
    path.write_text("first\n", encoding="utf-8")
    text = minimal.replace('secret_env = "QOYOD_API_KEY"', f'secret_file = "{path}"')
    secret = loaded(text).accounts[0].auth.secret
    assert secret.read() == "first"
    path.write_text("second\r\n", encoding="utf-8")
    assert secret.read() == "second"
    path.unlink()
    with pytest.raises(ConfigurationError, match=r"accounts\.main\.auth\.secret_file: No such file"):
        secret.read()


def test_a_systemd_credential_is_found_by_its_directory(tmp_path):
    (tmp_path / "qoyod").write_text("key", encoding="utf-8")
    secret = SecretRef("x", file="$CREDENTIALS_DIRECTORY/qoyod", environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert secret.read() == "key"


@pytest.mark.parametrize(
    ("environ", "problem"),
    [({}, "is not set"), ({"KEY": " "}, "is empty"), ({"KEY": "a\nb"}, "must be a single line")],
)
def test_a_variable_without_a_usable_secret_is_a_problem(environ, problem):
    with pytest.raises(ConfigurationError, match=problem):
        SecretRef("x", env="KEY", environ=environ).read()


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b" \n", "is empty"), (b"\xff\xfek\0", "UTF-16 text: save it as UTF-8"), (b"k\xe9y", "is not UTF-8")],
)
def test_a_file_without_a_usable_secret_is_a_problem(tmp_path, content, problem):
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=problem):
        SecretRef("x", file=str(path)).read()


@pytest.mark.parametrize("bad", ["socks5://proxy:1080", "proxy:3128", "http://", "http://proxy:port"])
def test_a_proxy_that_is_none_is_named_and_never_shown(problems, minimal, bad):
    told = problems(minimal.replace('name = "main"', f'name = "main"\nproxy = "{bad}"'))
    assert told == (
        'accounts.main.proxy: must be a proxy such as http://proxy:3128, or "env" (SOCKS is not supported)',
    )


def test_a_proxy_s_password_comes_from_the_environment_alone_and_is_masked(loaded, problems, minimal):
    with_proxy = f"http://shop:{PASTED}@proxy:3128"
    told = problems(minimal.replace('name = "main"', f'name = "main"\nproxy = "{with_proxy}"'))
    assert len(told) == 1
    assert "set STOCKSYNC_ACCOUNTS__<NAME>__PROXY to the whole URL" in told[0]
    config = loaded(minimal, STOCKSYNC_ACCOUNTS__MAIN__PROXY=with_proxy)
    assert config.accounts[0].proxy == with_proxy
    assert PASTED not in f"{told} {config!r} {effective(config)}"
    assert effective(config)["accounts"][0]["proxy"] == "http://***@proxy:3128"
