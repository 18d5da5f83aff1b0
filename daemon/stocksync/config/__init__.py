"""The configuration: read from TOML and environment, checked as a whole, then frozen."""

from stocksync.config.account import (
    OWN_COLUMNS,
    AccountConfig,
    AuthConfig,
    ColumnsConfig,
    DriftConfig,
    FilterConfig,
    GuardsConfig,
    LocationsConfig,
    PolicyConfig,
    PollConfig,
    StatementsConfig,
    TargetConfig,
)
from stocksync.config.effective import effective
from stocksync.config.fleet import FleetConfig
from stocksync.config.loading import account_names, build, http_of, load, state_of
from stocksync.config.model import Config, HttpConfig, LogConfig, StateConfig
from stocksync.config.rendering import example, reference
from stocksync.config.secret import SecretRef
from stocksync.config.sources import SEARCHED, find

__all__ = [
    "OWN_COLUMNS",
    "SEARCHED",
    "AccountConfig",
    "AuthConfig",
    "ColumnsConfig",
    "Config",
    "DriftConfig",
    "FilterConfig",
    "FleetConfig",
    "GuardsConfig",
    "HttpConfig",
    "LocationsConfig",
    "LogConfig",
    "PolicyConfig",
    "PollConfig",
    "SecretRef",
    "StateConfig",
    "StatementsConfig",
    "TargetConfig",
    "account_names",
    "build",
    "effective",
    "example",
    "find",
    "http_of",
    "load",
    "reference",
    "state_of",
]
