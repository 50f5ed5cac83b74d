"""A DICOM Part 10 file object becomes what the index needs, or a data set for the worker."""

import zlib
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import Any, BinaryIO

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset as parse
from pydicom.filereader import read_preamble
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from triage.domain.errors import CannotUnderstand, MissingIdentifier, PixelError, StorageFull
from triage.domain.identifiers import check_uid
from triage.domain.instance import Facts
from triage.domain.ours import is_ours
from triage.domain.query_keys import STORED
from triage.domain.reason import Reason
from triage.imaging.attributes import Attributes, attributes_of
from triage.imaging.elements import clean, identifier, keep_quiet, text, values
from triage.imaging.eligibility import view_of

HEADER_LIMIT = 2 << 20
"""Bytes of an object that are looked at to read its header; a sequence of a million empty items would stall the receiver."""
FIRST_LOOK = 16 << 10
"""Bytes that nearly every header fits into; only where it does not is the rest of ``HEADER_LIMIT`` read."""
MOST_ITEMS = 1024
"""Items of sequences in what is looked at to read a header: each takes the reader time and memory, and no film needs them."""
INFLATED_HEADER_LIMIT = 4 << 20
"""Bytes of a deflated data set that are inflated to read its header (PS3.5 A.5)."""
INFLATED_OBJECT_LIMIT = 256 << 20
"""Bytes that a deflated data set may have altogether: more than any film, less than a machine's memory."""

_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_IDENTIFIERS = {"patient_id": "PatientID", "issuer_of_patient_id": "IssuerOfPatientID"}
_TEXTS = {
    "patient_birth_date": "PatientBirthDate",
    "patient_sex": "PatientSex",
    "patient_age": "PatientAge",
    "accession_number": "AccessionNumber",
    "study_description": "StudyDescription",
    "modality": "Modality",
}
_READ = (
    *_UIDS,
    *_IDENTIFIERS.values(),
    *_TEXTS.values(),
    "SpecificCharacterSet",
    "PatientName",
    "ViewPosition",
    "ViewCodeSequence",
    "DeviceUID",
    "ManufacturerModelName",
)
_LAST_GROUP = 0x0054  # that of View Code Sequence; nothing that is read here stands behind it

_TAGS = sorted({tag for keyword in _READ if (tag := tag_for_keyword(keyword)) is not None} | {key.tag for key in STORED})

_PIXELS = 0x7FE0  # group of the pixel data, the last but for padding and signatures
_BESIDE = (0x0008, 0x0010, 0x0032, 0x0038, 0x0040)  # who, when, where and for whom: routers write there; not the picture
_JUDGED = (
    "SOPClassUID",
    "Modality",
    "AnatomicRegionSequence",
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "ContentDate",
    "PatientAge",
    "PatientBirthDate",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
)
"""What is written beside the picture, and is asked all the same whether it is one for the network."""

_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # (FFFE,E000) in either byte order (PS3.5 7.5)
_UNDEFINED = 0xFFFFFFFF  # the length of an element that a delimiter ends (PS3.5 7.1.1)

StopWhen = Callable[[BaseTag, str | None, int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The identifiers of one SOP Instance, checked, and what its header states about the study; all that queries ask for.

    ``ours``: it is one of the results that went out (:func:`triage.domain.ours.is_ours`).
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    facts: Facts
    attributes: Attributes = field(default_factory=dict, compare=False)
    ours: bool = False


def read_header(stream: BinaryIO) -> Header:
    """The header of a file object (preamble, file meta information, data set) from its first byte; pixels are not read.

    Raises:
        MissingIdentifier: one of the four UIDs is absent or empty.
        CannotUnderstand: anything else that keeps the header from being read. No message holds a value.
        StorageFull: the disk does not give the bytes: no fault of theirs.
    """
    keep_quiet()
    try:
        dataset = _head(stream, _TAGS)
        uids = {keyword: _uid(dataset, keyword) for keyword in _UIDS}
        transfer_syntax_uid = _uid(dataset.file_meta, "TransferSyntaxUID")
        attributes = attributes_of(dataset)
        devices = [str(value).rstrip("\0 ") for value in values(dataset, "DeviceUID")]
    except (CannotUnderstand, StorageFull):
        raise
    except Exception as error:  # hostile bytes make pydicom raise nearly any type, RecursionError and MemoryError among them
        raise CannotUnderstand(f"not a data set that can be read: {type(error).__name__}") from None
    return Header(
        sop_class_uid=uids["SOPClassUID"],
        sop_instance_uid=uids["SOPInstanceUID"],
        series_instance_uid=uids["SeriesInstanceUID"],
        study_instance_uid=uids["StudyInstanceUID"],
        transfer_syntax_uid=transfer_syntax_uid,
        facts=facts_of(dataset),
        attributes=attributes,
        ours=is_ours(uids["SOPClassUID"], devices, text(dataset, "ManufacturerModelName")),
    )


def read_elements(stream: BinaryIO, keywords: Collection[str]) -> Dataset:
    """The elements of these keywords, as they stand in a file object, and ``file_meta``; what is absent is absent.

    Only what stands before the pixels, up to group 0054, and within ``HEADER_LIMIT``. Values are as hostile as they came.

    Raises:
        CannotUnderstand, StorageFull: as :func:`read_header`.
    """
    keep_quiet()
    try:
        return _head(stream, [tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None])
    except (CannotUnderstand, StorageFull):
        raise
    except Exception as error:  # as in read_header
        raise CannotUnderstand(f"not a data set that can be read: {type(error).__name__}") from None


def _head(stream: BinaryIO, tags: list[int]) -> Dataset:
    """The elements of these tags, and ``file_meta``."""
    first = _bytes(stream, FIRST_LOOK)
    _check_items(first)
    if len(first) == FIRST_LOOK:
        with suppress(Exception):  # as in read_header; what is cut off in the middle of an element may raise anything, too
            head = BytesIO(first)
            dataset = _read(head, _behind, INFLATED_HEADER_LIMIT, tags)
            if head.tell() < len(first):
                return dataset
    whole = first + _bytes(stream, HEADER_LIMIT - len(first))
    _check_items(whole)
    return _read(BytesIO(whole), _behind, INFLATED_HEADER_LIMIT, tags)


def _check_items(head: bytes) -> None:
    if sum(head.count(item) for item in _ITEMS) > MOST_ITEMS:
        raise CannotUnderstand("more items of sequences than a film has")


def _bytes(stream: BinaryIO, most: int) -> bytes:
    try:
        return stream.read(most)
    except OSError as error:  # told apart from those that pydicom raises about the bytes
        raise StorageFull("the disk does not give the object back") from error


def _behind(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group > _LAST_GROUP


def picture_of(stream: BinaryIO) -> str | None:
    """A digest of what an object shows and is judged by: transfer syntax, pixel data as stored, and every standard element
    before them but for those that say who, when, where and for whom (patient and UIDs are the caller's to compare).

    ``None``: that cannot be told (deflated, or the pixel data do not begin within ``HEADER_LIMIT``). Never raises but OSError.
    """
    keep_quiet()
    first = stream.read(HEADER_LIMIT)
    head = BytesIO(first)
    try:
        _check_items(first)
        dataset = _read(head, lambda tag, vr, length: tag.group >= _PIXELS, INFLATED_HEADER_LIMIT, None)
        syntax = dataset.file_meta.TransferSyntaxUID
        begin, order = head.tell(), "big" if syntax == ExplicitVRBigEndian else "little"
        if syntax == DeflatedExplicitVRLittleEndian or head.read(2) != _PIXELS.to_bytes(2, order):  # type: ignore[arg-type]
            return None
        judged = {tag_for_keyword(keyword) for keyword in _JUDGED}
        told = [
            (int(tag), str(getattr(dataset.get_item(tag), "value", None)))
            for tag in sorted(dataset.keys())
            if tag in judged or not (tag.is_private or tag.group in _BESIDE)
        ]
    except Exception:  # as in read_header
        return None
    digest = sha256(repr((str(syntax), told)).encode("utf-8", "surrogatepass"))
    stream.seek(begin)
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def read_until(stream: BinaryIO, group: int) -> Dataset:
    """The elements of an object before a group, and ``file_meta``. Where films are opened only: nothing bounds it but that.

    Raises:
        PixelError: cannot_decode, when it is not a data set that can be read.
    """
    keep_quiet()
    try:
        return _read(stream, lambda tag, vr, length: tag.group >= group, INFLATED_OBJECT_LIMIT, None)
    except Exception as error:  # as in read_header
        raise PixelError(Reason.CANNOT_DECODE, f"not a data set that can be read: {type(error).__name__}") from None


def read_dataset(stream: BinaryIO) -> Dataset:
    """The whole object with its pixel data and ``file_meta``, from its first byte.

    Raises:
        PixelError: cannot_decode, when it is not a data set that can be read.
    """
    keep_quiet()
    try:
        dataset = _read(stream, None, INFLATED_OBJECT_LIMIT, None)
        if "PixelData" in dataset and _is_cut_off(dataset.get_item("PixelData")):
            raise EOFError
        return dataset
    except Exception as error:  # as in read_header
        raise PixelError(Reason.CANNOT_DECODE, f"not a data set that can be read: {type(error).__name__}") from None


def _is_cut_off(element: DataElement | RawDataElement) -> bool:
    """Whether the stream ended before the value that its length promises, which pydicom lets pass."""
    return isinstance(element, RawDataElement) and len(element.value or b"") < element.length != _UNDEFINED


def facts_of(dataset: Dataset) -> Facts:
    """What a header states about its study; whatever cannot be read is ``None``. Never raises."""
    texts = {field: text(dataset, keyword) for field, keyword in _TEXTS.items()}
    identifiers = {field: identifier(dataset, keyword) for field, keyword in _IDENTIFIERS.items()}
    return Facts(**identifiers, **texts, patient_name=_name(dataset), view=view_of(dataset))


def _name(dataset: Dataset) -> str | None:
    """``Family^Given``: of alphabetic, ideographic and phonetic group (PS3.5 6.2.1.1), the first that holds a name."""
    for value in values(dataset, "PatientName"):
        groups = (clean(group) for group in (clean(value) or "").split("="))
        return next((name.rstrip("^ ") for name in groups if name and name.strip("^ ")), None)
    return None


def _uid(dataset: Dataset, keyword: str) -> str:
    """One identifier, as it stands but for the padding (PS3.5 9.1: a trailing NULL; a space is seen as well)."""
    raw: DataElement | RawDataElement = dataset.get_item(keyword)
    found = values(dataset, keyword)
    if len(found) > 1:
        raise CannotUnderstand(f"{keyword} has several values")
    text = str(found[0]).rstrip("\0 ") if found else None
    if text and isinstance(raw, RawDataElement) and (raw.value or b"").rstrip(b"\0 ") != text.encode("utf-8", "replace"):
        raise CannotUnderstand(f"{keyword} is not a UID")  # the library strips white space of any kind, on both sides
    return check_uid(text, keyword)


def _read(stream: BinaryIO, stop_when: StopWhen | None, inflated_limit: int, tags: list[Any] | None) -> Dataset:
    """Parse a file object (PS3.10 7.1); pydicom's ``dcmread`` is not used as it inflates a deflated object without limit."""
    read_preamble(stream, False)
    meta = FileMetaDataset(parse(stream, False, True, stop_when=lambda tag, vr, length: tag.group != 2))
    syntax = meta.TransferSyntaxUID
    if syntax == DeflatedExplicitVRLittleEndian:
        stream = BytesIO(_inflate(stream, inflated_limit))
    dataset = parse(
        stream,
        is_implicit_VR=syntax == ImplicitVRLittleEndian,
        is_little_endian=syntax != ExplicitVRBigEndian,
        stop_when=stop_when,
        specific_tags=tags,
    )
    if not len(dataset):
        raise MissingIdentifier("the data set is empty")
    dataset.file_meta = meta
    return dataset


def _inflate(stream: BinaryIO, limit: int) -> bytes:
    """The first ``limit`` bytes of a deflated data set (PS3.5 A.5: raw deflate, without header)."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(), limit)
