"""What the program is told from outside: YAML files and environment, checked at once, then frozen."""

from bridge.settings.faults import ConfigInvalid, Fault, Place, did_you_mean
from bridge.settings.load import files_of, load, load_texts, read_files, version_of
from bridge.settings.resolved import (
    AlertTargetSettings,
    ConfigVersion,
    RuleSettings,
    SecretValue,
    Settings,
    SourceSettings,
    TenantSettings,
)
from bridge.settings.schema import MirrorCadence

__all__ = [
    "AlertTargetSettings",
    "ConfigInvalid",
    "ConfigVersion",
    "Fault",
    "MirrorCadence",
    "Place",
    "RuleSettings",
    "SecretValue",
    "Settings",
    "SourceSettings",
    "TenantSettings",
    "did_you_mean",
    "files_of",
    "load",
    "load_texts",
    "read_files",
    "version_of",
]
