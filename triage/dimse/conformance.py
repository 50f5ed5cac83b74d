"""The DICOM Conformance Statement (PS3.2) of a configuration, as values: made of the very tables that the service runs on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triage.dimse import association, commitment_scp, find_scp, negotiation, pdu, retrieve_scp
from triage.dimse.contexts import OFFERED, STORAGE_CLASSES, TRANSFER_SYNTAXES, UNCOMPRESSED, VERIFICATION
from triage.dimse.identifier import CHARACTER_SETS
from triage.dimse.query_models import MEANINGS, MODELS, Status
from triage.dimse.query_models import TRANSFER_SYNTAXES as IDENTIFIERS
from triage.dimse.tls import CIPHERS
from triage.domain import commitment
from triage.domain.errors import TriageError
from triage.domain.matching import NUMBERS, WILD
from triage.domain.ours import RESULT_CLASSES, SECONDARY_CAPTURE
from triage.domain.query_keys import EVERYWHERE, KEYS, ON_REQUEST

SYNTAX_NAMES = TRANSFER_SYNTAXES
"""All that are ever negotiated."""
NAMES = {
    VERIFICATION: "Verification",
    commitment.SOP_CLASS_UID: "Storage Commitment Push Model",
    **STORAGE_CLASSES,
    **RESULT_CLASSES,
    **{uid: model.name for uid, model in MODELS.items()},
}
EVERYBODY, NOBODY = "every peer that may associate", "nobody"
OWN_ONLY = f"{EVERYBODY}; only results of this service that come back, which are dropped: any other is refused (0122)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """Of the settings, what the statement depends on. ``settings``: name → (value, what it is for).

    ``results_to``: destinations that results go to by C-STORE; ``asked``: AE titles of those that are asked to keep them.
    """

    version: str
    ae_title: str
    port: int
    associations: int
    object_bytes: int
    tls: bool
    query_peers: Sequence[str]
    retrieve_peers: Sequence[str]
    move_destinations: Sequence[str]
    commitment_peers: Sequence[str]
    results_to: Sequence[str] = ()
    asked: Sequence[str] = ()
    settings: Mapping[str, tuple[Any, str]]


def statement(configured: Configured) -> dict[str, Any]:
    """The statement by its chapters, in the order of PS3.2 N; every value is text, a number, or a list or mapping of those."""
    return {
        "implementation": {
            "product": "Chest X-ray triage (notification only; not for diagnostic use)",
            "version": configured.version,
            "implementation_class_uid": negotiation.IMPLEMENTATION_CLASS_UID,
            "implementation_version_name": negotiation.IMPLEMENTATION_VERSION_NAME,
        },
        "model": list(MODEL),
        "application_entity": {"ae_title": configured.ae_title, "port": configured.port},
        "as_scp": list(_as_scp(configured)),
        "as_scu": list(_as_scu(configured)),
        "association_policies": _policies(configured),
        "statuses": {
            "C-STORE": _store_statuses(),
            "C-FIND, C-GET, C-MOVE": [{"status": f"{status:04X}", "meaning": MEANINGS[status]} for status in sorted(Status)],
            "N-ACTION (storage commitment)": [
                {"status": f"{status:04X}", "meaning": words} for status, words in sorted(_COMMITMENT.items())
            ],
        },
        "attributes": [_attribute(keyword) for keyword in (*KEYS, *EVERYWHERE)],
        "matching": list(MATCHING),
        "configuration": {name: {"value": value, "meaning": words} for name, (value, words) in configured.settings.items()},
        "character_sets": {
            "received": "every one of PS3.3 C.12.1.1.2 that pydicom decodes; of others the letters that can be read",
            "answered": [name or "default repertoire (ISO_IR 6)" for name, _ in CHARACTER_SETS],
        },
        "security": _security(configured),
    }


MODEL = (
    "One application entity receives films by C-STORE, keeps them as they came, and puts their studies on a reading list.",
    "Verification, storage commitment and, for peers that are named, query and retrieval are services of the same entity.",
    "Queries are answered in triage order: unread studies first, as on the reading list; then read ones, newest first.",
    "Study Comments (0032,4000), only where it is asked for, says what the AI triage says: a notification, not a finding.",
    "Films are sent as they were received, byte for byte: no transfer syntax is converted.",
)

MATCHING = (
    "Single value, list of UID (a list of any other values as well), universal, wild card and range matching (PS3.4 C.2.2.2).",
    "Case counts, but not in names of people (PN), which also match by one of their groups. Accents count.",
    f"Wild cards (* and ?) in {', '.join(sorted(WILD))}; ranges in DA and TM; {', '.join(sorted(NUMBERS))} match as numbers.",
    "Sequences are not matched and not returned. No extended negotiation: hierarchical queries, date and time matched apart.",
    "After an upgrade, a study of which headers are to be read yet matches whatever is not known of it.",
)

_COMMITMENT = {
    commitment_scp.SUCCESS: "a report will come",
    commitment_scp.PROCESSING_FAILURE: "the request could not be kept: ask again",
    commitment_scp.NO_SUCH_SOP_INSTANCE: "not the well-known instance",
    commitment_scp.INVALID_ARGUMENT_VALUE: "the request cannot be read",
    commitment_scp.NO_SUCH_SOP_CLASS: "not the Storage Commitment Push Model",
    commitment_scp.NO_SUCH_ACTION: "another action than 1",
    commitment_scp.RESOURCE_LIMITATION: "too many objects, or too many open requests",
}


def _as_scp(configured: Configured) -> Iterator[dict[str, Any]]:
    commitments = {commitment.SOP_CLASS_UID: commitment.TRANSFER_SYNTAXES}
    for uid, syntaxes in {**OFFERED, **commitments}.items():
        yield _service(uid, syntaxes, OWN_ONLY if uid in RESULT_CLASSES else EVERYBODY)
    for peers, setting, operations in (
        (configured.query_peers, "dimse.query_peers", ("FIND",)),
        (configured.retrieve_peers, "dimse.retrieve_peers", ("GET",)),
        (configured.retrieve_peers if configured.move_destinations else (), "dimse.retrieve_peers", ("MOVE",)),
    ):
        for uid, model in MODELS.items():
            if model.operation in operations:
                yield _service(uid, IDENTIFIERS, _peers(peers, setting))


def _as_scu(configured: Configured) -> Iterator[dict[str, Any]]:
    to = ", ".join(configured.move_destinations) or f"{NOBODY} (dimse.move_destinations)"
    fetching = _peers(configured.retrieve_peers, "dimse.retrieve_peers")
    for uid in STORAGE_CLASSES:
        yield {**_service(uid, tuple(TRANSFER_SYNTAXES), f"C-MOVE to: {to}; C-GET by: {fetching}"), "role": "SCU"}
    results_to = ", ".join(configured.results_to) or f"{NOBODY} (destinations of kind dicom, dicom_tls)"
    for uid in (*RESULT_CLASSES, SECONDARY_CAPTURE):
        yield {**_service(uid, UNCOMPRESSED, f"results to: {results_to}"), "role": "SCU"}
    asked = ", ".join(configured.asked) or f"{NOBODY} (destinations with commitment)"
    for role in ("SCU", "SCU, as acceptor of the association of the report"):
        yield {**_service(commitment.SOP_CLASS_UID, commitment.TRANSFER_SYNTAXES, f"on results: {asked}"), "role": role}
    reports = ", ".join(configured.commitment_peers) or "the association of the request only (dimse.commitment_peers)"
    yield {
        **_service(commitment.SOP_CLASS_UID, commitment.TRANSFER_SYNTAXES, f"reports (N-EVENT-REPORT) to: {reports}"),
        "role": "SCP, as requestor of the association",
    }


def _service(uid: str, syntaxes: Sequence[str], offered_to: str) -> dict[str, Any]:
    return {"uid": uid, "name": NAMES[uid], "role": "SCP", "transfer_syntaxes": list(syntaxes), "offered_to": offered_to}


def _peers(peers: Sequence[str], setting: str) -> str:
    return ", ".join(peers) or f"{NOBODY} ({setting})"


def _policies(configured: Configured) -> list[str]:
    return [
        f"Application context {negotiation.APPLICATION_CONTEXT.decode()}; maximum length of a PDU {pdu.MAXIMUM_LENGTH} bytes.",
        f"{configured.associations} associations at a time; no asynchronous operations.",
        "Role selection (PS3.7 D.3.3.4): a peer that may fetch may be the SCP of the storage classes, for C-GET.",
        f"Seconds of silence until it ends: {association.IDLE:.0f} between messages, {pdu.PDU_WITHIN:.0f} within a PDU.",
        f"An association lives for {association.LIFE:.0f} s at most.",
        f"Queries: {find_scp.AT_A_TIME} at a time, each of {find_scp.MOST_MATCHES} matches at most.",
        f"Retrievals: of {retrieve_scp.MOST_FILMS} films at most.",
        f"An object has at most {configured.object_bytes} bytes.",
    ]


def _store_statuses() -> list[dict[str, str]]:
    """Success, and every error that refuses a film."""
    found = {0x0000: "the film is durable and indexed"}
    waiting = [TriageError]
    while waiting:
        kind = waiting.pop()
        if kind.comment not in found.setdefault(kind.status, kind.comment):
            found[kind.status] += f"; or: {kind.comment}"
        waiting += kind.__subclasses__()
    return [{"status": f"{status:04X}", "meaning": words} for status, words in sorted(found.items())]


def _attribute(keyword: str) -> dict[str, Any]:
    key = KEYS.get(keyword) or EVERYWHERE[keyword]
    return {
        "keyword": keyword,
        "tag": f"({key.tag >> 16:04X},{key.tag & 0xFFFF:04X})",
        "vr": key.vr,
        "level": "each" if keyword in EVERYWHERE else key.level.value,
        "type": key.type.value,
        "matching": "returned only" if keyword in EVERYWHERE else _matching(key.vr),
        "note": "computed; told only where it is asked for" if keyword in ON_REQUEST else "computed" if key.computed else "",
    }


def _matching(vr: str) -> str:
    if vr in ("DA", "TM"):
        return "single value, range"
    return "single value, wild card" if vr in WILD else "list of UIDs" if vr == "UI" else "single value"


def _security(configured: Configured) -> list[str]:
    state = "on" if configured.tls else "off (dimse.tls): loopback only, unless told otherwise"
    return [
        f"DICOM TLS by the BCP 195 profile (PS3.15 B.12), TLS 1.2 and 1.3, both sides with certificates: {state}.",
        f"Cipher suites of TLS 1.2: {CIPHERS}.",
        "A certificate may use the AE title that is its common name, or those that dimse.tls.bindings names.",
        "Audit: who asked for the list and whose films left, in the service's own hash chain (not IHE ATNA).",
    ]
