"""One file an account: each is read, and what is wrong with one harms no other."""

import time
from pathlib import Path

import pytest

from stocksync.app.preflight import preflight
from stocksync.config import Config, load
from stocksync.errors import ConfigurationError

ENVIRON = {"QOYOD_API_KEY": "s3cr3t"}
ACCOUNT = '[auth]\nsecret_env = "QOYOD_API_KEY"\n[target]\nurl = "sqlite:///{0}.db"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text('accounts_dir = "accounts.d"\n')
    (tmp_path / "accounts.d").mkdir()
    return tmp_path / "accounts.d"


def loaded(folder: Path, before: Config | None = None, **environ: str) -> Config:
    return load(folder.parent / "config.toml", {**ENVIRON, **environ}, before)


def write(folder: Path, name: str, text: str = "") -> None:
    (folder / f"{name}.toml").write_text(text + ACCOUNT.format(name))


def names(config: Config) -> list[str]:
    return [one.name for one in config.accounts]


def test_each_file_is_an_account_named_by_itself_or_by_its_file(folder: Path) -> None:
    write(folder, "jeddah")
    write(folder, "other", 'name = "riyadh"\n')
    (folder / "notes.txt").write_text("no account")
    config = loaded(folder, STOCKSYNC_ACCOUNTS__RIYADH__POLL__INTERVAL="7m")
    assert names(config) == ["jeddah", "riyadh"]
    assert config.accounts[1].poll.interval.total_seconds() == 420
    assert config.refused == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[target", "is not valid TOML"),
        ('[poll]\ninterval = "soon"\n', "poll.interval: must be a duration"),
        ("intervall = 3\n", "no such key"),
        ('name = "jeddah"\n', "is given 2 times"),
        ('api_key = "x"\n', "a secret never stands in the configuration"),
    ],
)
def test_a_faulty_file_harms_its_own_account_alone(folder: Path, text: str, words: str) -> None:
    write(folder, "jeddah")
    write(folder, "zulfi", text)
    config = loaded(folder)
    assert names(config) == ["jeddah"]
    (refused,) = config.refused
    assert refused.path.name == "zulfi.toml"
    assert words in " ".join(refused.problems)
    assert all(str(refused.path) in each for each in refused.problems)


def test_a_file_that_became_faulty_leaves_its_account_as_it_was(folder: Path) -> None:
    write(folder, "jeddah", "[poll]\ninterval = '5m'\n")
    write(folder, "zulfi")
    before = loaded(folder)
    write(folder, "jeddah", "[poll]\ninterval = 'never'\n")
    write(folder, "buraydah")
    after = loaded(folder, before)
    assert set(names(after)) == {"buraydah", "jeddah", "zulfi"}
    assert after.account("jeddah") == before.account("jeddah")
    assert [one.path.stem for one in after.refused] == ["jeddah"]
    again = loaded(folder, after)
    assert again.account("jeddah") == before.account("jeddah"), "and at the next reload too"
    write(folder, "jeddah", "[poll]\ninterval = '6m'\n")
    assert loaded(folder, again).refused == ()


def test_where_nothing_works_every_problem_is_told(folder: Path) -> None:
    write(folder, "jeddah", "a = 1\n")
    write(folder, "zulfi", "b = 2\n")
    with pytest.raises(ConfigurationError) as caught:
        loaded(folder)
    assert {"jeddah.toml", "zulfi.toml"} <= {Path(each.partition(": ")[0]).name for each in caught.value.problems}


def test_a_folder_that_is_not_there_is_a_problem(folder: Path) -> None:
    folder.rmdir()
    with pytest.raises(ConfigurationError, match="accounts_dir: No such file or directory"):
        loaded(folder)


def test_many_files_load_in_time_that_grows_with_their_number(folder: Path) -> None:
    for number in range(400):
        write(folder, f"shop{number:04}", f'tenant = "shop{number:04}"\n')
    write(folder, "bad", "a = 1\n")
    began = time.process_time()
    assert len(loaded(folder).accounts) == 400
    assert time.process_time() - began < 20


def test_a_target_that_can_never_work_harms_its_own_account_alone(folder: Path) -> None:
    write(folder, "good")
    (folder / "bad.toml").write_text(ACCOUNT.format("no/such/folder/bad"))
    secret = folder.parent / "url"
    secret.write_text("sqlite:///late.db")
    (folder / "late.toml").write_text(f'[auth]\nsecret_env = "QOYOD_API_KEY"\n[target]\nurl_file = "{secret}"\n')
    config = loaded(folder)
    assert names(config) == ["bad", "good", "late"]
    secret.unlink()  # between two looks, as when secrets are rotated
    kept = preflight(config)
    assert names(kept) == ["good"]
    refused = {one.path.stem: one.problems[0] for one in kept.refused}
    assert "accounts.bad.target.url" in refused["bad"]
    assert "mkdir -p" in refused["bad"]
    assert str(secret) in refused["late"]
    (folder / "good.toml").unlink()
    with pytest.raises(ConfigurationError, match="mkdir -p"):
        preflight(loaded(folder))
