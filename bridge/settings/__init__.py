"""Environment and config/*.yaml → frozen settings; refuses to start with every fault named: file, line, column, remedy."""

from bridge.settings.faults import ConfigInvalid, Fault
from bridge.settings.load import (
    NamedSecret,
    RuleSettings,
    Settings,
    SourceSettings,
    TenantSettings,
    load,
    place_of_config,
)

__all__ = [
    "ConfigInvalid",
    "Fault",
    "NamedSecret",
    "RuleSettings",
    "Settings",
    "SourceSettings",
    "TenantSettings",
    "load",
    "place_of_config",
]
