"""Real database servers for tests: made in a temporary directory, started, frozen, killed, thrown away."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import psutil

_START_SECONDS = 30.0
_names = count(1)


_LOCK_WAITS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%{table}%'",
    "mariadb": "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
    " ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = database()"
    " AND p.info LIKE '%{table}%'",
}
LOCK_WAITS_SECONDS = 0.15
"""How long to wait between two looks: InnoDB shows an old answer to who asks more often than every 0.1 s."""


class NoServer(Exception):
    """The server's programs are not on this machine."""


class Server(ABC):
    """One server process with its own data directory; not started by construction."""

    account: str

    def __init__(self) -> None:
        self.user = self._user()
        self.directory = Path(tempfile.mkdtemp(prefix="stocksync-db-"))
        self.directory.chmod(0o755)
        self.data = self.directory / "data"
        self.data.mkdir(mode=0o700)
        self.socket = self.directory / "run"
        self.socket.mkdir(mode=0o755)
        if self.user:
            for path in (self.directory, self.data, self.socket):
                shutil.chown(path, self.user)
        self.port = free_port()
        self.options: list[str] = []
        """More words for its command line; they count from its next start."""
        self._process: subprocess.Popen[bytes] | None = None
        self._prepare()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start on the same port and data; returns when it answers."""
        if self.running:
            return
        with (self.directory / "log").open("ab") as log:
            command = _bound_to_this_process(self._as_user(self._command()), self.user)
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                raise RuntimeError((self.directory / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.03)

    def stop(self) -> None:
        """End it at once, without a farewell to its clients: as kill -9 does."""
        if self._process is None:
            return
        family = self._family()
        for member in family:
            _signal(member, signal.SIGKILL)
        self._process.wait()
        while any(_alive(member) for member in family):
            time.sleep(0.005)
        self._process = None

    def freeze(self) -> None:
        """Stop it from running: connections stay open and, once this returns, nothing is answered."""
        # A signal is only sent: on a busy machine a thread still answers until it has been scheduled to take it.
        deadline = time.monotonic() + _START_SECONDS
        while running := [member for member in self._family() if not _stopped(member)]:
            if time.monotonic() > deadline:
                raise RuntimeError("the server could not be frozen")
            for member in running:
                _signal(member, signal.SIGSTOP)
            time.sleep(0.001)

    def thaw(self) -> None:
        """Let a frozen server run on."""
        for member in self._family():
            _signal(member, signal.SIGCONT)

    def close(self) -> None:
        """Stop it and delete its files."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def new_database(self) -> str:
        """Make an empty database and give its plain URL."""
        name = f"t{os.getpid()}_{next(_names)}"
        self._create(name)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Delete what new_database made, whoever is still connected to it."""
        if self.running:
            self._drop(url.rsplit("/", 1)[1])

    @abstractmethod
    def url(self, name: str) -> str: ...

    @abstractmethod
    def sql(self, statement: str, database: str | None = None) -> str:
        """Run a statement with the server's own client and give what it prints, tab-separated."""

    @abstractmethod
    def _prepare(self) -> None: ...

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    @abstractmethod
    def _create(self, name: str) -> None: ...

    @abstractmethod
    def _drop(self, name: str) -> None: ...

    def _user(self) -> str | None:
        return self.account if os.geteuid() == 0 else None

    def _as_user(self, command: Sequence[str]) -> list[str]:
        if self.user is None:
            return list(command)
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *command]

    def _run(self, command: Sequence[str], *, as_user: bool = False) -> str:
        full = self._as_user(command) if as_user else list(command)
        done = subprocess.run(full, capture_output=True, text=True, check=False, cwd=self.directory)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def _family(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


class PostgreSQL(Server):
    """A PostgreSQL that outlives its own death but not a power cut, which makes it fast."""

    account = "postgres"

    def _prepare(self) -> None:
        command = [_postgres("initdb"), "-D", str(self.data), "-U", "stocksync", "-A", "trust"]
        self._run([*command, "-N", "-E", "UTF8", "--locale=C.UTF-8"], as_user=True)

    def _command(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.socket,
            "fsync": "off",
            "full_page_writes": "off",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [_postgres("postgres"), "-D", str(self.data), *options, *self.options]

    def _answers(self) -> bool:
        command = [_postgres("pg_isready"), "-q", "-h", str(self.socket), "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def url(self, name: str) -> str:
        return f"postgresql://stocksync@127.0.0.1:{self.port}/{name}"

    def sql(self, statement: str, database: str | None = None) -> str:
        where = ["-h", str(self.socket), "-p", str(self.port), "-U", "stocksync", "-d", database or "postgres"]
        return self._run([_postgres("psql"), *where, "-qAtX", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", statement])

    def _create(self, name: str) -> None:
        self.sql(f"CREATE DATABASE {name}")

    def _drop(self, name: str) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class MariaDB(Server):
    """A MariaDB of the same kind."""

    account = "mysql"

    def _prepare(self) -> None:
        command = [_program("mariadb-install-db"), "--no-defaults", *self._where(), "--skip-test-db"]
        self._run([*command, "--auth-root-authentication-method=normal", *_MARIADB_FAST], as_user=True)

    def _command(self) -> list[str]:
        run = [f"--socket={self.socket}/sock", f"--pid-file={self.socket}/pid"]
        net = [f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-name-resolve"]
        return [_program("mariadbd"), "--no-defaults", *self._where(), *run, *net, *_MARIADB_FAST, *self.options]

    def _where(self) -> list[str]:
        # A server that starts deletes the temporary tables it finds, and /tmp has those of its neighbours.
        return [f"--datadir={self.data}", f"--tmpdir={self.socket}"]

    def _answers(self) -> bool:
        command = [_program("mariadb-admin"), "--no-defaults", f"--socket={self.socket}/sock", "-uroot", "ping"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def url(self, name: str) -> str:
        return f"mariadb://root@127.0.0.1:{self.port}/{name}"

    def sql(self, statement: str, database: str | None = None) -> str:
        command = [_program("mariadb"), "--no-defaults", f"--socket={self.socket}/sock", "-uroot", "-BN"]
        return self._run(
            [*command, "--default-character-set=utf8mb4", "-e", statement, *([database] if database else [])]
        )

    def _create(self, name: str) -> None:
        self.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")

    def _drop(self, name: str) -> None:
        # A connection that a failed test left behind may hold locks that would keep DROP waiting for ever.
        listing = self.sql(f"SELECT id FROM information_schema.processlist WHERE db = '{name}'")
        for connection in listing.split():
            with suppress(RuntimeError):  # it ended by itself in between
                self.sql(f"KILL {connection}")
        self.sql(f"DROP DATABASE IF EXISTS {name}")


class PgBouncer(Server):
    """A pooler before a PostgreSQL, as Supabase and others put there: a transaction is all a client may rely on."""

    account = "postgres"

    def __init__(self, behind: PostgreSQL, mode: str = "transaction", sessions: int = 2) -> None:
        self._behind = behind
        self._settings = {"pool_mode": mode, "default_pool_size": sessions, "max_client_conn": 200}
        self._bouncer = _program("pgbouncer")
        super().__init__()

    def _prepare(self) -> None:
        settings = {
            **self._settings,
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": self.socket,
            "auth_type": "any",
            "admin_users": "stocksync",
        }
        lines = [f"{key} = {value}" for key, value in settings.items()]
        behind = f"* = host=127.0.0.1 port={self._behind.port} user=stocksync"
        text = "\n".join(["[databases]", behind, "[pgbouncer]", *lines, ""])
        (self.directory / "pgbouncer.ini").write_text(text, encoding="utf-8")

    def _command(self) -> list[str]:
        return [self._bouncer, "-q", str(self.directory / "pgbouncer.ini")]

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, name: str) -> str:
        return f"postgresql://stocksync@127.0.0.1:{self.port}/{name}"

    def sql(self, statement: str, database: str | None = None) -> str:
        return self._behind.sql(statement, database)

    def _create(self, name: str) -> None:
        self._behind.sql(f"CREATE DATABASE {name}")

    def _drop(self, name: str) -> None:
        self._behind.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


_MARIADB_FAST = (
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=16M",
    "--innodb-flush-method=nosync",
    "--performance-schema=off",
    "--skip-log-bin",
)


def _postgres(program: str) -> str:
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]))
    return str(versions[-1]) if versions else _program(program)


def _program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        raise NoServer(f"{name} is not installed")
    return found


def _bound_to_this_process(command: list[str], user: str | None) -> list[str]:
    # The kernel ends the server when this process is killed, however it is killed.
    if user is not None:
        return [command[0], "--pdeathsig=KILL", *command[1:]]
    tool = shutil.which("setpriv")
    return [tool, "--pdeathsig=KILL", *command] if tool else command


def lock_waits(url: str, table: str) -> str:
    """Give the statement that counts those of the URL's database that name `table` and wait for a lock."""
    return _LOCK_WAITS[url.partition(":")[0]].format(table=table)


def free_port() -> int:
    """Find a port below the range that clients get theirs from: a server comes back on it long after this look."""
    for port in random.sample(range(15_000, 30_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _stopped(process: psutil.Process) -> bool:
    return all(_state(thread) in "TtZX" for thread in Path(f"/proc/{process.pid}/task").glob("*/stat"))


def _state(thread: Path) -> str:
    try:
        return thread.read_text().rpartition(")")[2].split()[0]
    except OSError:  # it ended in between
        return "X"


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
