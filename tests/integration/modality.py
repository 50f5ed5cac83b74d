"""A sender: one association, files as they are, the answer to each."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE, _config, build_context, evt
from pynetdicom.association import Association

from tests.integration.objects import DX, EXPLICIT, SECONDARY_CAPTURE
from triage.dimse.requestor import steady

logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # what is refused here is refused on purpose
_config.STORE_SEND_CHUNKED_DATASET = True  # the file's own bytes go out, and its meta information becomes the command set

VERIFICATION = "1.2.840.10008.1.1"
CONTEXTS = ((DX, EXPLICIT), (SECONDARY_CAPTURE, EXPLICIT), (VERIFICATION, "1.2.840.10008.1.2"))


class Modality:
    """An established association. ``store`` gives the status, ``None`` when none came."""

    def __init__(self, association: Association, folder: Path) -> None:
        self.association = association
        self._file = folder / "film.dcm"

    def store(self, file: bytes) -> int | None:
        self._file.write_bytes(file)
        answer = steady(self.association).send_c_store(self._file)
        return int(answer.Status) if "Status" in answer else None

    def comment(self, file: bytes) -> str:
        """The ErrorComment of the answer."""
        self._file.write_bytes(file)
        return str(steady(self.association).send_c_store(self._file).get("ErrorComment", ""))

    def echo(self) -> int | None:
        answer = steady(self.association).send_c_echo()
        return int(answer.Status) if "Status" in answer else None


def associate(
    port: int,
    *,
    calling: str = "MODALITY",
    called: str = "TRIAGE",
    address: str = "127.0.0.1",
    contexts: Sequence[tuple[str, str]] = CONTEXTS,
    heard: Callable[[evt.Event], Any] | None = None,
) -> Association:
    """An association, or what came of asking for one. ``heard`` is told each DIMSE message as it comes."""
    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.network_timeout = 15
    entity.dimse_timeout = 30
    return entity.associate(
        "127.0.0.1",
        port,
        contexts=[build_context(UID(abstract), UID(transfer)) for abstract, transfer in contexts],
        ae_title=called,
        bind_address=(address, 0),
        evt_handlers=[(evt.EVT_DIMSE_RECV, heard)] if heard else [],
    )


@contextmanager
def modality(port: int, **options: Any) -> Iterator[Modality]:
    """An association for the length of a block."""
    association = associate(port, **options)
    assert association.is_established
    try:
        with TemporaryDirectory() as folder:
            yield Modality(association, Path(folder))
    finally:
        if association.is_established:
            association.release()
