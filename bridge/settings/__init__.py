"""What the program is told from outside: YAML files and environment, checked at once, then frozen."""

from bridge.settings.faults import ConfigInvalid, Fault, Place, did_you_mean
from bridge.settings.load import files_of, load, load_texts, place_of_config, read_files
from bridge.settings.resolved import (
    AlertSettings,
    NamedSecret,
    RuleSettings,
    Settings,
    SourceSettings,
    TenantSettings,
)

__all__ = [
    "AlertSettings",
    "ConfigInvalid",
    "Fault",
    "NamedSecret",
    "Place",
    "RuleSettings",
    "Settings",
    "SourceSettings",
    "TenantSettings",
    "did_you_mean",
    "files_of",
    "load",
    "load_texts",
    "place_of_config",
    "read_files",
]
