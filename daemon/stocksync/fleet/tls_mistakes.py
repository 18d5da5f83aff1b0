"""Why no TLS connection to Temporal comes about, in the words of the keys to mend: the SDK says "transport error"."""

import asyncio
import socket
import ssl

_SECONDS, _LISTEN_SECONDS = 5.0, 1.0
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""How HTTP/2 begins (RFC 9113, 3.4), with empty settings: a server that refuses our certificate says so as it reads."""
_CERTIFICATE = "fleet.tls_certificate, fleet.tls_key: it asks for a certificate that it trusts ({})"
_NO_TLS = "fleet.tls: it speaks no TLS there: leave the tls_ keys out, or name its TLS port"


async def mistake(address: str, context: ssl.SSLContext | None, server_name: str) -> str:
    """Try a handshake of our own, and say what is configured wrongly; "" where it is something else.

    `context`: what TLS is configured with; None where it is not.
    """
    host, _, port = address.rpartition(":")
    where = host.strip("[]"), int(port)
    # In a thread: what a server refuses after the handshake is the end of the stream to asyncio, and no more.
    if context is None:
        return await asyncio.to_thread(_without_tls, where)
    return await asyncio.to_thread(_with_tls, where, context, server_name or where[0])


class _RefusedAfterwards(Exception):
    """The handshake went well as we see it, and then the server ended the connection; `alert`: by a word of TLS."""

    def __init__(self, alert: str = "") -> None:
        self.alert = alert


def _without_tls(where: tuple[str, int]) -> str:
    lax = ssl.create_default_context()
    lax.check_hostname, lax.verify_mode = False, ssl.CERT_NONE
    try:
        _greet(where, lax, where[0])
    except ssl.SSLError as error:
        if not _alert(error):
            return ""
    except OSError:
        return ""
    except _RefusedAfterwards:
        pass
    return "fleet.tls: it speaks TLS there, and we do not: set tls = true"


def _with_tls(where: tuple[str, int], context: ssl.SSLContext, name: str) -> str:
    wrong = ""
    try:
        _greet(where, context, name)
    except ssl.SSLCertVerificationError as error:
        if "mismatch" in error.verify_message or "not valid for" in error.verify_message:
            wrong = f"fleet.tls_server_name: its certificate is not for {name}: name the host that it is for"
        else:
            wrong = f"fleet.tls_ca: its certificate is not signed by an authority we trust ({error.verify_message})"
    except _RefusedAfterwards as refused:
        # Without such a word it may be a proxy whose Temporal is away: waiting mends that.
        wrong = _CERTIFICATE.format(refused.alert) if refused.alert else ""
    except ssl.SSLError as error:
        wrong = _CERTIFICATE.format(_alert(error)) if _alert(error) else _NO_TLS
    except OSError:
        wrong = _NO_TLS if _speaks_plainly(where) else ""
    return wrong


def _alert(error: ssl.SSLError) -> str:
    return error.reason if error.reason and "ALERT" in error.reason else ""


def _speaks_plainly(where: tuple[str, int]) -> bool:
    try:
        _greet(where, None, "")
    except (OSError, _RefusedAfterwards):
        return False
    return True


def _greet(where: tuple[str, int], context: ssl.SSLContext | None, name: str) -> None:
    """Connect, and wait for the first word of the answer."""
    with socket.create_connection(where, timeout=_SECONDS) as bare:
        if context is not None:
            context.set_alpn_protocols(["h2"])
        with context.wrap_socket(bare, server_hostname=name) if context is not None else bare as connected:
            try:
                heard = _first_word(connected)
            except ssl.SSLError as error:
                raise _RefusedAfterwards(_alert(error)) from error
            except ConnectionError as error:
                raise _RefusedAfterwards from error
            if not heard:
                raise _RefusedAfterwards


def _first_word(connected: socket.socket) -> bytes:
    # Listening comes first: to who writes to a server that has refused us, its word of refusal is lost.
    connected.settimeout(_LISTEN_SECONDS)
    try:
        return connected.recv(1)
    except TimeoutError:
        connected.settimeout(_SECONDS)
        connected.sendall(_GREETING)
        return connected.recv(1)
