"""A TCP port that is listened on."""

import socket

from triage.domain.errors import ConfigError


def listen(host: str, port: int, backlog: int, setting: str) -> socket.socket:
    """A socket that takes connections at ``host`` (IPv4 or IPv6); ``port`` 0: the system chooses.

    Raises:
        ConfigError: the address cannot be listened on; the message names the ``setting``.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(backlog)
    except OSError as error:
        listening.close()
        raise ConfigError(f"{setting}: cannot listen on {host}:{port} ({error.strerror}); is it in use?") from error
    return listening
