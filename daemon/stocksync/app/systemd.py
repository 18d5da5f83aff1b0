"""What systemd is told of this process: sd_notify(3), datagrams to a socket and nothing else."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping

import structlog

log = structlog.get_logger(__name__)


class Systemd:
    """The service manager that started this process; without one, nobody is told anything.

    The states are those of sd_notify(3): READY, RELOADING, STOPPING, STATUS, WATCHDOG.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """Take the socket's address from NOTIFY_SOCKET; `@` begins one in the abstract namespace."""
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._feeds = bool(environ.get("WATCHDOG_USEC")) and environ.get("WATCHDOG_PID", str(os.getpid())) == str(
            os.getpid()
        )
        self._status = ""
        self._ready = False

    def ready(self) -> None:
        """Say, the first time it is called, that the service has started."""
        if not self._ready:
            self._ready = True
            self._tell("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is read again; `reloaded` must follow."""
        # systemd takes only a READY that is younger than this for the end of the reload.
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def reloaded(self) -> None:
        """Say that the configuration in force is the last one that was sound."""
        self._ready = True
        self._tell("READY=1")

    def stopping(self) -> None:
        """Say that the service drains."""
        self._tell("STOPPING=1")

    def status(self, sentence: str) -> None:
        """Tell people what `systemctl status` shows, where it has changed."""
        line = " ".join(sentence.split())
        if line != self._status:
            self._status = line
            self._tell(f"STATUS={line}")

    def feed(self) -> None:
        """Keep the watchdog from killing this process."""
        if self._feeds:
            self._tell("WATCHDOG=1")

    async def feeding(self, sentence: Callable[[], str] = lambda: "") -> None:
        """Feed the watchdog, and tell people what `sentence` says where it says anything, until cancelled."""
        while True:
            self.feed()
            if said := sentence():
                self.status(said)
            await asyncio.sleep(1)

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)  # noqa: FBT003  the standard library's signature
                out.sendto(message.encode("utf-8", errors="replace"), self._address)
        except OSError as error:  # a full or missing socket must not stop a poll
            log.debug("systemd_not_told", error=str(error), message=message)
