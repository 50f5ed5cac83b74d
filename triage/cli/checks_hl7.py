"""What ``triage check`` looks at of HL7: orders in, results out."""

import socket
from collections.abc import Iterator

from triage.cli.finding import FAIL, OK, WARN, Finding
from triage.config import Settings
from triage.config.destinations import Kind

CONNECT_WITHIN = 3.0


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


def hl7_results(settings: Settings) -> Iterator[Finding]:
    """Whoever hears of results by HL7 lets us connect."""
    for one in settings.destinations:
        if one.kind is not Kind.HL7:
            continue
        try:
            socket.create_connection((one.entity.host, one.entity.port), CONNECT_WITHIN).close()
        except OSError as error:
            words = f"{one.name} at {one.to} does not answer ({error.strerror or type(error).__name__})"
            yield Finding(FAIL, "results", words, "does the RIS listen there, and does a firewall let this machine through?")
        else:
            yield Finding(OK, "results", f"{one.name} at {one.to} takes connections")
