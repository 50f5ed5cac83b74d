"""A TCP port that is listened on: opened here, or handed over by whoever started this process (``sd_listen_fds(3)``)."""

import os
import socket
from collections.abc import Mapping
from ipaddress import ip_address

from triage.domain.errors import ConfigError

FIRST_DESCRIPTOR = 3
NAMES = {"dimse.port": "dicom", "hl7.port": "hl7"}
"""Setting of a port → the name under which its socket is handed over (systemd: ``FileDescriptorName=``)."""


def listen(host: str, port: int, backlog: int, setting: str) -> socket.socket:
    """A socket that takes connections: the one handed over for ``setting``, else one at ``host`` (IPv4 or IPv6) and ``port``
    (0: the system chooses).

    Raises:
        ConfigError: the address cannot be listened on, or the socket handed over is open to more than ``host`` says; the
            message names the ``setting``.
    """
    if (descriptor := handed_over(os.environ, os.getpid(), os.getppid()).get(NAMES.get(setting, ""))) is not None:
        return _taken(descriptor, host, setting)
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(backlog)
    except OSError as error:
        listening.close()
        raise ConfigError(f"{setting}: cannot listen on {host}:{port} ({error.strerror}); is it in use?") from error
    return listening


def handed_over(environment: Mapping[str, str], own: int, parent: int) -> dict[str, int]:
    """Descriptors of sockets by their names. They are meant for the process ``LISTEN_PID``: this one, or the supervisor above.

    One alone, under a name that is none of :data:`NAMES`, is DICOM's.
    """
    if environment.get("LISTEN_PID") not in (str(own), str(parent)):
        return {}
    count = int(environment.get("LISTEN_FDS") or 0)
    named = environment.get("LISTEN_FDNAMES", "").split(":")
    if count == 1 and named[0] not in NAMES.values():
        named = [NAMES["dimse.port"]]
    return {name: FIRST_DESCRIPTOR + place for place, name in enumerate(named[:count]) if name in NAMES.values()}


def port_handed_over(setting: str) -> int | None:
    """The port of the socket handed over for ``setting``; ``None``: there is none."""
    descriptor = handed_over(os.environ, os.getpid(), os.getppid()).get(NAMES[setting])
    if descriptor is None:
        return None
    with socket.socket(fileno=os.dup(descriptor)) as given:
        return int(given.getsockname()[1])


def _taken(descriptor: int, host: str, setting: str) -> socket.socket:
    """The socket itself; it goes on listening when this process ends, for whoever handed it over holds it, too."""
    try:
        os.set_inheritable(descriptor, False)
        listening = socket.socket(fileno=os.dup(descriptor))
        accepts = listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ConfigError(f"{setting}: the socket handed over cannot be used ({error.strerror})") from error
    at = str(listening.getsockname()[0])
    if not accepts or listening.type != socket.SOCK_STREAM:
        listening.close()
        raise ConfigError(f"{setting}: the socket handed over does not listen for TCP connections (ListenStream=)")
    if _is_loopback(host) and not _is_loopback(at):
        listening.close()
        section = setting.partition(".")[0]
        raise ConfigError(f"{setting}: the socket handed over is open at {at}, {section}.host says {host}; set it to {at}")
    return listening


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ip_address(host).is_loopback
