"""File meta information as the standard's library writes it."""

from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from triage.dimse.negotiation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from triage.dimse.store_scp import file_meta

uids = st.lists(st.integers(0, 99999), min_size=2, max_size=10).map(lambda parts: ".".join(map(str, parts)))


@given(uids, uids, uids)
def test_file_meta_is_pydicoms_byte_for_byte(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> None:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta)
    assert file_meta(sop_class_uid, sop_instance_uid, transfer_syntax_uid) == bytes(128) + b"DICM" + buffer.getvalue()
