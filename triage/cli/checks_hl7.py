"""What ``triage check`` looks at of orders by HL7; results: :mod:`triage.cli.checks_results`."""

import socket
from collections.abc import Iterator

from triage.cli.finding import OK, WARN, Finding
from triage.config import Settings


def hl7_orders(settings: Settings) -> Iterator[Finding]:
    """Where orders come in, and who may send them."""
    hl7 = settings.hl7
    if not hl7.port:
        yield Finding(OK, "orders", "none are taken from the RIS: hl7.port is not set")
        return
    with socket.socket() as probe:
        taken = probe.connect_ex((hl7.host, hl7.port)) == 0
    words = "answers: the service, or something else, is running there" if taken else "is free"
    yield Finding(WARN if taken else OK, "orders port", f"{hl7.host}:{hl7.port} {words}")
    if hl7.allowed_peers:
        yield Finding(OK, "orders", f"{len(hl7.allowed_peers)} addresses may send orders")
    else:
        yield Finding(WARN, "orders", "any program on this machine may send orders", "list the RIS in hl7.allowed_peers")
    if hl7.allow_plain_hl7:
        words = "orders come in without TLS: they can be read and forged on the way"
        yield Finding(WARN, "orders", words, "put a tunnel with TLS before hl7.port")
