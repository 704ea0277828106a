"""Ports to listen on."""

import secrets
import socket


def unused_port() -> int:
    """Return a port nobody listens on just now, below those that the kernel gives to outgoing connections.

    One of theirs was seen to be taken by a connection of another test before its server began to listen.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
