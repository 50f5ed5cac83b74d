"""A result as a small JSON document, POSTed to whoever wants to know. No name, no birth date: whoever may know looks it up."""

import json
from typing import Any

from triage.domain.delivery import Receipt
from triage.domain.ours import NOTICE
from triage.domain.result import Result
from triage.outbound.http import Posting


class WebhookTransport:
    """See :class:`triage.services.transport.Transport`. ``url``: where to POST."""

    def __init__(self, url: str, *, token: str, within_seconds: float) -> None:
        self._posting = Posting(url, token=token, within_seconds=within_seconds)

    def send(self, result: Result, predecessors: tuple[Result, ...]) -> Receipt:
        """POST it; any 2xx is delivered. ``Idempotency-Key`` tells a repeat from another result."""
        body = json.dumps(document(result, predecessors)).encode()
        headers = {"Content-Type": "application/json", "Accept": "*/*", "Idempotency-Key": key_of(result)}
        reply = self._posting.post(body, headers)
        if not 200 <= reply.status < 300:
            raise self._posting.failure(reply.status)
        return Receipt(status=f"HTTP {reply.status}")

    def close(self) -> None:
        """Nothing is kept open."""


def key_of(result: Result) -> str:
    """The result's own name: always the same."""
    return result.uid("webhook")


def document(result: Result, predecessors: tuple[Result, ...]) -> dict[str, Any]:
    """What is told. ``supersedes``: the ids of the study's earlier results, oldest first."""
    return {
        "id": key_of(result),
        "supersedes": [key_of(one) for one in predecessors],
        "number": result.number,
        "study_instance_uid": result.study_instance_uid,
        "accession_number": result.facts.accession_number,
        "level": result.level.value,
        "probability": result.probability,
        "threshold": result.model.threshold if result.model else None,
        "reason": result.reason.code if result.reason else None,
        "model": result.model.label if result.model else None,
        "decided_at": result.decided_at.isoformat(),
        "notice": NOTICE,
    }
