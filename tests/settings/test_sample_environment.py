"""The sample environment opens the sample config: what `docker compose up` starts with."""

from pathlib import Path

from bridge.bootstrap import load_settings

ROOT = Path(__file__).parents[2]


def test_the_sample_config_starts_with_the_sample_environment() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    environ = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    settings = load_settings(ROOT / "config", environ=environ)
    assert {str(name) for name in settings.sources} >= {"lakeside-website", "hilltop-website"}
