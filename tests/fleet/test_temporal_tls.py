"""TLS and the API key to a real Temporal, whose development server speaks none: a proxy before it ends TLS."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from authority import make_authority
from temporal_server import Temporal

from stocksync.app.fleet import fleet_status
from stocksync.config import Config, FleetConfig
from stocksync.errors import ConfigurationError, FleetUnavailable

pytestmark = pytest.mark.xdist_group("fleet")

# HPACK (RFC 7541, appendix B) writes these letters in five bits each: so many make whole bytes that can be looked for.
FIVE_BITS = {letter: code for code, letter in enumerate("012aceiost")}
API_KEY = "tiestoatseaciest"
TLS_KEYS = {"tls_ca": "ca.pem", "tls_certificate": "client.pem", "tls_key": "client.key"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_authority(tmp_path_factory.mktemp("tls"))


@dataclass
class Proxy:
    """Ends TLS before a Temporal, and keeps what the client said; in threads, as asyncio keeps alerts to itself."""

    temporal: Temporal
    context: ssl.SSLContext
    said: bytearray = field(default_factory=bytearray)
    listening: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listening.getsockname()[1]}"

    def run(self) -> None:
        with suppress(OSError):
            while True:
                outer = self.listening.accept()[0]
                threading.Thread(target=self._serve, args=(outer,), daemon=True).start()

    def _serve(self, bare: socket.socket) -> None:
        there = ("127.0.0.1", self.temporal.port)
        with (
            bare, suppress(OSError), self.context.wrap_socket(bare, server_side=True) as outer,
            socket.create_connection(there) as inner,
        ):  # fmt: skip
            threading.Thread(target=self._copy, args=(inner, outer), daemon=True).start()
            self._copy(outer, inner, self.said)

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket, kept: bytearray | None = None) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                if kept is not None:
                    kept += part
                sink.sendall(part)


@pytest.fixture(scope="module")
def proxy(temporal_server: Temporal, authority: Path) -> Iterator[Proxy]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority / "ca.pem"))
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    context.set_alpn_protocols(["h2"])
    context.verify_mode = ssl.CERT_REQUIRED
    made = Proxy(temporal_server, context)
    threading.Thread(target=made.run, daemon=True).start()
    with made.listening:
        yield made


def configured(authority: Path, address: str, files: dict[str, str], **more: Any) -> Config:
    paths = {key: str(authority / name) for key, name in files.items()}
    fleet = FleetConfig(address=address, **paths, **more)
    fleet.bind("fleet", {"TEMPORAL_KEY": API_KEY})
    return Config.model_construct(fleet=fleet, accounts=())


def in_five_bits(text: str) -> bytes:
    bits = "".join(f"{FIVE_BITS[letter]:05b}" for letter in text)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


async def test_certificates_of_both_sides_and_the_api_key_reach_a_real_temporal(proxy: Proxy, authority: Path) -> None:
    more = {"tls_server_name": "localhost", "api_key_env": "TEMPORAL_KEY"}
    config = configured(authority, proxy.address, TLS_KEYS, **more)
    assert (await fleet_status(config)).schedules == []
    # "Bearer " takes five bytes, so that the key begins with one.
    assert in_five_bits(API_KEY) in proxy.said
    assert API_KEY not in repr(config.fleet)


@pytest.mark.parametrize(
    ("files", "more", "sentence"),
    [
        ({**TLS_KEYS, "tls_ca": "other.pem"}, {"tls_server_name": "localhost"}, "fleet.tls_ca: its certificate is not"),
        (
            {"tls_ca": "ca.pem"},
            {"tls_server_name": "localhost"},
            "fleet.tls_certificate, fleet.tls_key: it asks for",
        ),
        (TLS_KEYS, {}, "fleet.tls_server_name: its certificate is not for 127.0.0.1"),
        (TLS_KEYS, {"tls_server_name": "stock.example"}, "fleet.tls_server_name: its certificate is not for stock"),
        ({}, {}, "fleet.tls: it speaks TLS there, and we do not: set tls = true"),
        ({**TLS_KEYS, "tls_key": "other.key"}, {}, "fleet.tls_key: is not the key of tls_certificate"),
        ({**TLS_KEYS, "tls_certificate": "client.key"}, {}, "must be a certificate and its private key in PEM"),
        ({**TLS_KEYS, "tls_ca": "ca.key"}, {}, "fleet.tls_ca: holds no certificate in PEM"),
        ({**TLS_KEYS, "tls_ca": "gone.pem"}, {}, "fleet.tls_ca: No such file or directory"),
    ],
)
async def test_each_mistake_is_one_sentence_that_names_the_key(
    proxy: Proxy, authority: Path, files: dict[str, str], more: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        await fleet_status(configured(authority, proxy.address, files, **more))
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_tls_to_a_port_that_speaks_none_and_to_one_where_nobody_listens(
    temporal_server: Temporal, authority: Path, unused_tcp_port: int
) -> None:
    with pytest.raises(ConfigurationError, match=r"fleet\.tls: it speaks no TLS there"):
        await fleet_status(configured(authority, temporal_server.address, TLS_KEYS))
    for files in (TLS_KEYS, {}):
        with pytest.raises(FleetUnavailable, match="does not answer"):
            await fleet_status(configured(authority, f"127.0.0.1:{unused_tcp_port}", files))
