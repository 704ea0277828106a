"""How a role learns that it is to end; apart from the server, so that a worker does not import one."""

import asyncio
import signal


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set the event at SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
