"""Every error stocksync raises on purpose; each message says what to do about it."""

from collections.abc import Sequence

from stocksync.known_secrets import hidden

SEE_CHECK = "; see `stocksync check`"
"""Ends a message that `check` explains; `check` itself leaves it out."""


class StocksyncError(Exception):
    """Base of all expected failures; `exit_code` is what a command ends with.

    No message shows a secret, whatever a driver or a server has put into it: many are stored and shown elsewhere.
    """

    exit_code = 1

    def __str__(self) -> str:
        """Give the message."""
        return hidden(super().__str__())


class ConfigurationError(StocksyncError):
    """The configuration, or what it points at, cannot work: a person must change something."""

    exit_code = 2

    def __init__(self, problems: str | Sequence[str]) -> None:
        """Take one problem or all of them, one line each."""
        self.problems = tuple(hidden(each) for each in ((problems,) if isinstance(problems, str) else problems))
        super().__init__("\n".join(self.problems))


class AddressTaken(ConfigurationError):
    """Another process listens where this one was to."""


class DriverMissing(ConfigurationError):
    """The Python package that speaks to this kind of database is not installed."""


class SourceError(StocksyncError):
    """Qoyod could not be read."""


class SourceUnavailable(SourceError):
    """Time-outs, resets, 5xx, unreadable bodies: it may work later."""


class SourceRefused(SourceError):
    """Qoyod understood and said no (422, a redirect, a wrong path): asking again changes nothing."""


class Unauthorized(SourceError):
    """401 or 403: the credential is missing, wrong, expired or revoked."""


class TargetError(StocksyncError):
    """The target database could not be used."""


class TargetUnavailable(TargetError):
    """Connection refused or lost, lock time-outs, deadlocks beyond the retries: it may work later."""


class TargetConflict(TargetUnavailable):
    """A deadlock or a serialization failure took a batch back: the same batch may go through at once."""


class RowsRefused(TargetError):
    """The target rolled a batch back because of what is in it (constraint, type, length)."""


class EverythingRefused(TargetError):
    """The target took not one of many rows: that is no matter of single rows, and none is set aside."""


class MoreThanWeighed(StocksyncError):
    """What is to be written came to more, while it was written, than the guards had let pass."""


class RowsLocked(TargetUnavailable):
    """The target rolled a batch back because another transaction holds a row of it; the message says whose."""


class StateError(StocksyncError):
    """The state database could not be used."""


class StateUnavailable(StateError):
    """Connection refused or lost, disk full, locked for too long: it may work later."""


class StateInUse(StateError):
    """Another process holds the state, or the lease of the account."""


class SchemaBehind(StateError):
    """The state database's schema is not the one this version needs."""

    exit_code = 2


class SchemaNewer(SchemaBehind):
    """The state database was made by a newer version."""


class LeaseLost(StateError):
    """Another writer took the account over, or the lease has run out: nothing more may be written."""


class FleetUnavailable(StocksyncError):
    """Temporal does not answer: it may work later."""


class OutputFailed(StocksyncError):
    """What was found out could not be written to where it was to go: the disk is full, the device is gone."""


class InvariantBroken(StocksyncError):
    """A promise was found broken at run time; please report it."""


class CursorLost(StocksyncError):
    """A reader of the change feed asks to go on behind a row that the ledger no longer keeps."""


class BeyondLedger(StocksyncError):
    """Stock is asked for at an instant that the ledger does not reach back to."""

    exit_code = 2


class NotFound(StocksyncError):
    """What was asked for does not exist."""

    exit_code = 4


class Unanswered(NotFound):
    """The snapshot does not know it, and Qoyod could not be asked: nobody knows whether it exists."""

    exit_code = 1


class AskedTooOften(StocksyncError):
    """Look-ups have spent their share of the request budget; `seconds` tells when it is worth asking again."""

    def __init__(self, seconds: float) -> None:
        """Take the seconds to wait."""
        self.seconds = seconds
        super().__init__(f"look-ups have spent their share of the request budget; ask again in {seconds:.0f} s")


class PlanChanged(StocksyncError):
    """A held plan no longer is what the person who decides on it was shown."""
