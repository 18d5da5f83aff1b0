"""What Temporal's SDK says goes where our own lines go: left alone, its core prints to standard output."""

import logging
from functools import cache

from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

_CORE = logging.getLogger("temporalio.core")


@cache
def runtime() -> Runtime:
    """Give the SDK's core, of which a process has one; its warnings and errors are log lines of ours."""
    _CORE.addFilter(_plain)
    # An activity that fails is logged by its cycle; the SDK would add a traceback to each.
    for name in ("temporalio.activity", "temporalio.worker._activity", "temporalio.workflow"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    told = LogForwardingConfig(_CORE, append_target_to_name=False)
    return Runtime(
        telemetry=TelemetryConfig(
            logging=LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=told)
        )
    )


def _plain(record: logging.LogRecord) -> bool:
    record.__dict__.pop("temporal_log", None)  # the same once more, as an object that no log format knows
    return True
