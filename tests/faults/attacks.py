"""F26, F30–F38: what a hostile peer does, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.faults import attacks_idle as idle
from tests.faults import attacks_large as large
from tests.faults import attacks_odd as odd
from tests.faults.targets import Target

Act = Callable[[Target, float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """``act`` gives, in words, what it saw; ``sees``: a pattern that they begin with, when it is ours that is attacked.

    ``associations``: how many it may have at once; ``stores``: how many good films it sends (``None``: any number).
    """

    id: str
    act: Act
    sees: str
    associations: int = 1
    stores: int | None = 0


HUNG_UP = r"(\d+) of \1 hung up on"

ATTACKS: dict[str, Attack] = {
    "2,000 silent peers": Attack(id="F30", sees=HUNG_UP, act=partial(idle.silent, count=2_000), associations=0),
    "2,000 × 250 KiB of an A-ASSOCIATE-RQ": Attack(id="F35", sees=HUNG_UP, act=idle.long_requests, associations=0),
    "2,000 requests of zeros": Attack(id="F35", sees=HUNG_UP, act=idle.bad_requests, associations=100),
    "300 silent peers, 64 descriptors": Attack(id="F30", sees=HUNG_UP, act=idle.few_descriptors, associations=0),
    "connect and reset": Attack(id="F33", sees=r"[1-9]", act=idle.resets),
    "120 busy associations": Attack(id="F34", sees=r"50 of 120 accepted, 0 of 50", act=idle.busy, associations=120),
    "A-ASSOCIATE-RQ, a byte a second, × 20": Attack(id="F32", sees=HUNG_UP, act=idle.drip_request, associations=20),
    "data set, a byte a second, × 20": Attack(id="F32", sees=HUNG_UP, act=idle.drip_data, associations=20),
    "stops within a PDU, × 20": Attack(id="F32", sees=HUNG_UP, act=idle.stop_within, associations=20),
    "stops between PDUs, × 20": Attack(id="F32", sees=HUNG_UP, act=idle.stop_between, associations=20),
    "never reads an answer, × 4": Attack(id="F32", sees=HUNG_UP, act=idle.never_reads, associations=4),
    "A-ASSOCIATE-RQ of 4 GiB": Attack(id="F35", sees="abort", act=large.huge_request),
    "P-DATA-TF of 500 MiB": Attack(id="F35", sees="abort", act=large.huge_pdu),
    "65,535 contexts": Attack(id="F35", sees="abort", act=large.many_contexts),
    "4,000 items of user information": Attack(id="F35", sees="abort", act=large.many_user_items),
    "data set without end": Attack(id="F36", sees="abort", act=large.endless),
    "command set without end": Attack(id="F36", sees="abort", act=large.endless_command),
    "200 MB film, × 4": Attack(id="F37", sees="status 0000 × 4$", act=large.large_films, associations=4, stores=4),
    "command set within a data set, × 100": Attack(id="F38", sees="abort × 100(;|$)", act=odd.second_command),
    "unknown context, × 100": Attack(id="F38", sees="abort × 100(;|$)", act=odd.unknown_context),
    "20,000 C-CANCEL": Attack(id="F38", sees="hung up on", act=partial(odd.flood, field=0x0FFF)),
    "20,000 N-EVENT-REPORT": Attack(id="F38", sees="hung up on", act=partial(odd.flood, field=0x0100)),
    "associate and release, 100 a second": Attack(id="F33", sees=r"release × \d+$", act=odd.storm),
    "HTTP, TLS, SSH, noise, × 200": Attack(id="F32", sees="abort × 200(;|$)", act=odd.not_dicom, associations=16),
    "250,000 items in the header, × 4": Attack(
        id="F38", sees=r"status C100 × \d+$", act=large.hard_headers, associations=4, stores=None
    ),
    "film cut off, × 300": Attack(id="F26", sees="cut off × 300(;|$)", act=odd.aborts),
}
"""What is done → how."""

BY_TLS: dict[str, Attack] = {
    "500 silent peers": Attack(id="F31", sees=HUNG_UP, act=partial(idle.silent, count=500), associations=0),
    "500 × half a ClientHello": Attack(id="F31", sees=HUNG_UP, act=idle.half_hello, associations=0),
    "200 handshakes, then nothing": Attack(id="F31", sees=HUNG_UP, act=idle.silent_by_tls, associations=0),
    "HTTP, TLS, SSH, noise, × 200": Attack(id="F31", sees="closed × 200(;|$)", act=odd.not_dicom, associations=0),
}
"""The same against the port that speaks TLS."""
