"""`check`, the fleet's part: whether Temporal answers, and whether its schedules are those of the configuration."""

from stocksync.config import Config
from stocksync.core.answers import CheckResult, CheckState
from stocksync.errors import DriverMissing

SDK_MISSING = "Temporal's SDK is not installed: pip install 'stocksync[temporal]'"


async def fleet_results(config: Config) -> list[CheckResult]:
    """Ask Temporal and change nothing; nothing to say where no fleet is configured.

    Raises:
        ConfigurationError, FleetUnavailable: Temporal cannot be asked.

    """
    if not config.fleet.address:
        return []
    try:
        from stocksync.app.fleet import applying, fleet_status  # noqa: PLC0415  who has no fleet needs no SDK
    except ModuleNotFoundError as error:
        raise DriverMissing(SDK_MISSING) from error
    async with applying(config) as planned:
        steps = len(planned.steps)
    status = await fleet_status(config)
    what = (
        f"Temporal at {config.fleet.address}: {len(status.schedules):,} schedules, {len(status.workers)} workers live"
    )
    if steps:
        todo = "stocksync fleet apply --dry-run, then without"
        return [CheckResult("fleet", CheckState.WARNING, f"{what}; {steps:,} differ from the configuration", todo)]
    return [CheckResult("fleet", CheckState.WELL, what)]
