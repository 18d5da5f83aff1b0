"""TLS with real servers and an authority of our own: every mode does what it says, and a failure says what to do."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from authority import make_authority
from servers import Server
from sqlalchemy import text

from stocksync.dsn import cured
from stocksync.sqlengine import open_engine, reading
from stocksync.sqlfaults import reason

SECURED = {
    "postgresql": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mariadb": "SELECT variable_value <> '' FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, authority: Path) -> Iterator[str]:
    """Give the URL of a server that has a certificate; it is as before when the module ends."""
    server: Server = request.getfixturevalue(f"{request.param}_server")
    server.stop()
    mine = server.directory / "tls"
    shutil.copytree(authority, mine)
    for path in (mine, *mine.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
        if server.user:
            shutil.chown(path, server.user)
    if request.param == "postgresql":
        files = {name: mine / file for name, file in (("cert", "server.pem"), ("key", "server.key"), ("ca", "ca.pem"))}
        settings = {"ssl": "on", **{f"ssl_{name}_file": path for name, path in files.items()}}
        server.options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    else:
        server.options = [f"--ssl-cert={mine}/server.pem", f"--ssl-key={mine}/server.key", f"--ssl-ca={mine}/ca.pem"]
    server.start()
    made = server.new_database()
    yield made
    server.drop_database(made)
    server.stop()
    server.options = []
    shutil.rmtree(mine)
    server.start()


async def connects(url: str, query: str, host: str = "localhost") -> bool:
    """Connect; whether the connection is secured."""
    engine = open_engine(f"{url.replace('127.0.0.1', host)}{query}", "x")
    try:
        async with reading(engine) as connection:
            return bool((await connection.execute(text(SECURED[url.partition(":")[0]]))).scalar())
    finally:
        await engine.dispose()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_who_requires_tls_is_never_served_without(kind: str, request: pytest.FixtureRequest) -> None:
    plain: str = request.getfixturevalue(f"{kind}_url")
    with pytest.raises(Exception, match=r"(?i)ssl|tls|connect|lost"):
        await connects(plain, "?sslmode=require")
    assert await connects(plain, "?sslmode=prefer") is False


@pytest.mark.parametrize(
    ("query", "secured"),
    [
        ("?sslmode=disable", False),
        ("?sslmode=prefer", True),
        ("?sslmode=require", True),
        ("?ssl=true", True),
        ("?ssl-mode=REQUIRED", True),
        ("?sslmode=verify-ca&sslrootcert={ca}", True),
        ("?sslmode=verify-full&sslrootcert={ca}", True),
        ("?ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}", True),
        ("?sslmode=require&sslrootcert={ca}&sslcert={folder}/client.pem&sslkey={folder}/client.key", True),
    ],
)
async def test_a_mode_of_tls_does_what_it_says(url: str, authority: Path, query: str, secured: bool) -> None:
    assert await connects(url, query.format(ca=authority / "ca.pem", folder=authority)) is secured


@pytest.fixture
def demanding(url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a URL under which the server lets in only who shows a certificate of its authority."""
    kind = url.partition(":")[0]
    server: Server = request.getfixturevalue(f"{kind}_server")
    if kind == "mariadb":
        server.sql("CREATE USER stocksync REQUIRE X509; GRANT ALL ON *.* TO stocksync")
        yield url.replace("root@", "stocksync@")
        server.sql("DROP USER stocksync")
        return
    rules = server.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"hostssl {url.rsplit('/', 1)[1]} stocksync all cert\n{before}")
    server.sql("SELECT pg_reload_conf()")
    yield url
    rules.write_text(before)
    server.sql("SELECT pg_reload_conf()")


async def test_a_server_that_demands_a_certificate_of_ours_gets_it(demanding: str, authority: Path) -> None:
    verified = f"?sslmode=verify-full&sslrootcert={authority}/ca.pem"
    shown = f"&sslcert={authority}/client.pem&sslkey={authority}/client.key"
    assert await connects(demanding, verified + shown) is True
    with pytest.raises(Exception, match=r"requires a valid client certificate|Access denied") as caught:
        await connects(demanding, verified)
    assert "sslcert" in reason(caught.value)


@pytest.mark.parametrize(
    ("query", "host", "cure"),
    [
        ("?sslmode=verify-ca&sslrootcert={folder}/other.pem", "localhost", "name the authority's file"),
        ("?sslmode=verify-full", "localhost", "name the authority's file"),
        ("?sslmode=verify-full&sslrootcert={folder}/ca.pem", "127.0.0.1", "connect by that name"),
    ],
)
async def test_a_server_that_is_not_proved_is_refused_with_the_cure(
    url: str, authority: Path, query: str, host: str, cure: str
) -> None:
    with pytest.raises(Exception, match="certificate verify failed") as caught:
        await connects(url, query.format(folder=authority), host)
    assert cure in reason(caught.value)


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate", encoding="utf-8")
    with pytest.raises(Exception, match="sslrootcert=…: no certificate of an authority can be read there"):
        open_engine(f"mysql://u@h/d?ssl-mode=VERIFY_CA&ssl-ca={path}", "x")


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        ("no pg_hba.conf entry for host, no encryption", "add ?sslmode=require"),
        ("Connections using insecure transport are prohibited", "ssl-mode=REQUIRED"),
        ("password authentication failed for user", "%40"),
        ("Access denied for user 'x'@'y'", "%40"),
        ("anything else", ""),
    ],
)
def test_words_of_a_server_that_turns_us_away_bring_their_cure(words: str, cure: str) -> None:
    assert cured(words).startswith(words)
    assert cure in cured(words)
