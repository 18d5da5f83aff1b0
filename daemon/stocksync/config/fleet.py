"""The section of the fleet: where Temporal is, and how a worker takes polls from it."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from stocksync.config.secret import SecretRef
from stocksync.config.section import Section
from stocksync.config.values import PositiveDuration, Variable, check_that, split_listen

_LONGEST_NAME = 200


def _check_address(value: str) -> str:
    try:
        port = split_listen(value)[1] if value else 1
    except ValueError:
        port = 0
    if not port:
        raise ValueError('must be the host:port of Temporal\'s frontend, such as "127.0.0.1:7233"')
    return value


class FleetConfig(Section):
    """Many machines: Temporal says which worker polls what and when (docs/fleet.md); `run` needs none of it."""

    address: Annotated[str, AfterValidator(_check_address)] = ""
    """host:port of Temporal's frontend; left empty, there is no fleet."""
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = "default"
    """Temporal's namespace."""
    task_queue: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = "stocksync"
    """What workers take polls from; a second fleet in the same namespace needs another one."""
    concurrency: Annotated[int, Field(ge=1, le=500)] = 20
    """Polls and audits that one worker makes at the same time."""
    heartbeat_timeout: Annotated[
        PositiveDuration,
        check_that(lambda value: value >= timedelta(seconds=2), 'must be at least "2s": a busy machine is no dead one'),
    ] = timedelta(seconds=10)
    """A worker that is silent for so long has died: its poll goes on elsewhere."""
    tls: bool = False
    """Speak TLS; the keys below, and an API key, ask for it too."""
    tls_ca: str = ""
    """A file with the authority that signed Temporal's certificate; else those that the system trusts."""
    tls_certificate: str = ""
    """A file with the certificate that we show (mTLS)."""
    tls_key: str = ""
    """A file with its private key."""
    tls_server_name: Annotated[str, Field(max_length=_LONGEST_NAME)] = ""
    """The name that Temporal's certificate bears, where it is not the host of the address."""
    api_key_env: Variable = ""
    """Name of an environment variable with an API key (Temporal Cloud)."""

    @property
    def api_key(self) -> SecretRef:
        """Where the API key stands; false where none is asked for."""
        return self.secret_at("api_key")

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return bool(self.tls or self.tls_ca or self.tls_certificate or self.tls_server_name or self.api_key)
