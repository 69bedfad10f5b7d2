"""Ports to listen on."""

import socket


def bound(host: str, port: int) -> socket.socket:
    """Returns a socket that is bound and does not listen yet.

    Raises:
        OSError: if the port is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
    except OSError:
        listener.close()
        raise
    return listener
