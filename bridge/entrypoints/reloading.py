"""Takes up a changed config while the program runs: at SIGHUP, or when a file changes; one with faults is refused."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog

from bridge import bootstrap
from bridge.entrypoints import metrics
from bridge.settings import ConfigInvalid, Settings

_log = structlog.get_logger()
_LOOK_SECONDS = 2.0
RESTART = ("server", "worker", "mirror", "database_url", "data_dir")
"""What a running program keeps until it is started anew."""

Fingerprint = tuple[tuple[str, int, int], ...]


class Reloader:
    """Watches the config of one process. `use` takes a new version up; `faults` says why the last one was refused."""

    def __init__(
        self,
        settings: Settings,
        *,
        use: Callable[[Settings], Awaitable[None]],
        environ: Mapping[str, str] = os.environ,
        look_seconds: float = _LOOK_SECONDS,
        waits: tuple[str, ...] = RESTART,
    ) -> None:
        self.settings = settings
        self.faults: tuple[str, ...] = ()
        self._use = use
        self._environ = environ
        self._look_seconds = look_seconds
        self._waits = waits
        self._asked = asyncio.Event()
        self._seen = self._fingerprint()

    def ask(self) -> None:
        """Read the config now, changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Watch until cancelled; SIGHUP asks at once."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.ask)
        try:
            while True:
                try:
                    async with asyncio.timeout(self._look_seconds):
                        await self._asked.wait()
                except TimeoutError:
                    if await asyncio.to_thread(self._fingerprint) == self._seen:
                        continue
                self._asked.clear()
                await self.reload()
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def reload(self) -> bool:
        """Read the config and take it up; one that cannot be used leaves the old one in force. Tell whether it was used."""
        self._seen = await asyncio.to_thread(self._fingerprint)
        try:
            fresh = await asyncio.to_thread(bootstrap.load_settings, environ=self._environ)
            if fresh.version != self.settings.version:
                await self._use(fresh)
        except ConfigInvalid as invalid:
            return self._refused(tuple(str(fault).splitlines()[0] for fault in invalid.faults))
        except Exception as error:  # noqa: BLE001  whatever a config does to our code, the old one stays in force
            self._seen = ()  # the database may be away: it is tried again
            return self._refused((f"{type(error).__name__} while it was taken up",))
        self.faults = ()
        metrics.config_refused.set(0)
        metrics.config_reloads.labels("used").inc()
        waits = [name for name in self._waits if getattr(fresh, name) != getattr(self.settings, name)]
        _log.info(
            "config.reloaded", version=fresh.version.hash, before=self.settings.version.hash, waits_for_restart=waits
        )
        self.settings = fresh
        return True

    def _refused(self, faults: tuple[str, ...]) -> bool:
        self.faults = faults
        metrics.config_refused.set(1)
        metrics.config_reloads.labels("refused").inc()
        _log.error("config.refused", kept=self.settings.version.hash, faults=list(faults[:20]), count=len(faults))
        return False

    def _fingerprint(self) -> Fingerprint:
        """Return what tells a changed file: names, sizes and times of change; empty where there is no file to watch."""
        named = self._environ.get("BRIDGE_CONFIG")
        if not named:
            return ()
        place = Path(named)
        files = sorted(place.glob("*.y*ml")) if place.is_dir() else [place]
        found = []
        for path in files:
            try:
                stat = path.stat()
            except OSError:
                continue
            found.append((str(path), stat.st_size, stat.st_mtime_ns))
        return tuple(found)
