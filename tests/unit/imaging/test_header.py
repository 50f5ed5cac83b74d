"""What the receiver reads of an object: identifiers that are checked, facts that are clean, errors that carry no value."""

import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset as pydicom_write
from pydicom.uid import UID

from tests.integration import objects
from triage.domain.errors import CannotUnderstand, MissingIdentifier, PixelError, TriageError
from triage.domain.instance import Facts
from triage.domain.reason import Reason
from triage.imaging.codecs import decode_frame
from triage.imaging.eligibility import examine
from triage.imaging.header import HEADER_LIMIT, Header, picture_of, read_dataset, read_header
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec

SPEC = PreprocessingSpec(height=16, width=16)


def header_of(data):
    return read_header(BytesIO(data))


def meta_end(data):
    """Where the data set begins: after preamble, prefix and the file meta group, whose length its first element states."""
    return 144 + int.from_bytes(data[140:144], "little")


def write_dataset(dataset, stream):
    buffer = DicomIO(stream)
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    pydicom_write(buffer, dataset)


def with_raw(data, old, new):
    assert data.count(old) >= 1
    assert len(old) == len(new)
    return data.replace(old, new)


def test_identifiers_and_facts(film, as_file):
    dataset = film(
        IssuerOfPatientID="HOSPITAL",
        PatientBirthDate="19800102",
        PatientSex="F",
        AccessionNumber="A-77",
        StudyDescription="Chest PA",
    )
    assert header_of(as_file(dataset)) == Header(
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
        sop_instance_uid="1.2.3.1",
        series_instance_uid="1.2.3.3",
        study_instance_uid="1.2.3.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        facts=Facts(
            patient_id="P1",
            issuer_of_patient_id="HOSPITAL",
            patient_name="Doe^Jane",
            patient_birth_date="19800102",
            patient_sex="F",
            patient_age="045Y",
            accession_number="A-77",
            study_description="Chest PA",
            modality="DX",
            view="PA",
        ),
    )


def test_absent_and_empty_facts_are_none(film, as_file):
    dataset = film(PatientName="", PatientID="", PatientAge=None, ViewPosition=None)
    assert header_of(as_file(dataset)).facts == Facts(modality="DX")


@pytest.mark.parametrize(
    ("character_set", "name", "expected"),
    [
        ("ISO_IR 100", "Müller^Änne", "Müller^Änne"),
        ("ISO_IR 192", "Žižek^Łucja", "Žižek^Łucja"),
        ("ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou"),
        ("ISO_IR 192", "=山田^太郎", "山田^太郎"),
        ("ISO_IR 144", "Люкceмбypг", "Люкceмбypг"),
        ("ISO_IR 192", "Doe^Jane^^^", "Doe^Jane"),
        ("ISO_IR 192", "^^^^", None),
    ],
)
def test_names_in_their_character_set(film, as_file, character_set, name, expected):
    dataset = film(SpecificCharacterSet=character_set)
    dataset.PatientName = name
    assert header_of(as_file(dataset)).facts.patient_name == expected


def test_control_characters_are_gone_and_length_has_a_cap(film, as_file):
    data = as_file(film(SpecificCharacterSet="ISO_IR 192", StudyDescription="x" * 60, AccessionNumber="AAAAAAAAAA"))
    hostile = with_raw(data, b"AAAAAAAAAA", "a\x00\x1b\r\n\u202e\x7fb".encode())
    assert header_of(hostile).facts.accession_number == "ab"
    long = film()
    long.add_new(0x00081030, "UT", "y" * 100_000)
    assert len(header_of(as_file(long)).facts.study_description) == 256


@pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_identifier(film, as_file, keyword, value):
    whole = as_file(film())
    stream = BytesIO()
    write_dataset(film(**{keyword: value}), stream)
    with pytest.raises(MissingIdentifier, match=keyword):
        header_of(whole[: meta_end(whole)] + stream.getvalue())


@pytest.mark.parametrize("hostile", [b"1.2/../3", b"1.2.03.4", b"1.2\\3.4.", b"1.2;DROP", b"1.2.3.\xff\xff", b"1..2.3.4"])
def test_a_malformed_identifier_is_refused_and_not_quoted(film, as_file, hostile):
    data = as_file(film(StudyInstanceUID="1.2.8765"))
    with pytest.raises(CannotUnderstand) as caught:
        header_of(with_raw(data, b"1.2.8765", hostile))
    assert "1.2" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 131,
        b"\0" * 128 + b"DICM",
        b"<html><body>not a film</body></html>" * 50,
        b"\0" * 128 + b"DICM" + b"\xff" * 500,
    ],
)
def test_what_is_no_object_is_not_understood(data):
    with pytest.raises(CannotUnderstand):
        header_of(data)
    with pytest.raises(PixelError) as caught:
        read_dataset(BytesIO(data))
    assert caught.value.reason is Reason.CANNOT_DECODE


def test_real_html_pages_are_not_understood(real_films):
    for number in (1, 2, 3):
        with (real_films / f"not_dicom_html_{number}.dcm").open("rb") as stream, pytest.raises(CannotUnderstand):
            read_header(stream)


def test_a_header_without_values_of_the_patient_in_its_message(film, as_file):
    data = as_file(film(PatientName="Secret^Person"))
    for cut in range(140, len(data) - 24_200, 7):
        with pytest.raises(TriageError) as caught:
            header_of(data[:cut])
        assert "Secret" not in str(caught.value)


def test_all_syntaxes_are_read(film, as_file, lossless_syntax):
    dataset = film(syntax=lossless_syntax)
    data = as_file(dataset)
    assert header_of(data).sop_instance_uid == "1.2.3.1"
    assert np.array_equal(decode_frame(read_dataset(BytesIO(data))), decode_frame(dataset))


def deflated(film, as_file, body):
    stub = as_file(film(syntax="1.2.840.10008.1.2.1.99"))
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stub[: meta_end(stub)] + compressor.compress(body) + compressor.flush()


def test_a_deflated_bomb_is_not_inflated_whole(film, as_file):
    plain = as_file(film())
    body = plain[meta_end(plain) :] + b"\0" * (64 << 20)
    data = deflated(film, as_file, body)
    tracemalloc.start()
    assert header_of(data).sop_instance_uid == "1.2.3.1"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_length_of_gigabytes_is_no_allocation(film, as_file):
    data = as_file(film(StudyDescription="0123456789"))
    position = data.index(b"0123456789") - 8
    unlimited = data[:position] + b"\x08\x00\x30\x10UT\0\0\xff\xff\xff\x7f" + data[position + 8 :]
    with pytest.raises(CannotUnderstand):
        header_of(unlimited)


def test_sequences_nested_without_end_are_not_understood_or_skipped(film, as_file):
    nested = (b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * 3000
    data = as_file(film())
    position = data.index(b"\x10\x00\x10\x00PN")
    hostile = data[:position] + nested + data[position:]
    with pytest.raises(CannotUnderstand):
        header_of(hostile)
    with pytest.raises(PixelError):
        read_dataset(BytesIO(hostile))


def test_the_warnings_of_pydicom_stay_silent_in_every_thread(film, as_file):
    """An unknown character set makes pydicom warn, quoting the value; warnings are errors in tests."""
    data = with_raw(as_file(film(SpecificCharacterSet="ISO_IR 100")), b"ISO_IR 100", b"ISO_IR 999")
    with ThreadPoolExecutor(4) as pool:
        headers = list(pool.map(header_of, [data] * 100))
    assert {header.facts.patient_id for header in headers} == {"P1"}


MUTATION = st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), min_size=1, max_size=12)


@settings(deadline=None, max_examples=500)
@given(MUTATION, st.one_of(st.none(), st.integers(0, 1500)), st.sampled_from(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]))
def test_mutated_objects_raise_nothing_of_their_own(film, as_file, mutations, cut, syntax):
    data = bytearray(as_file(film(np.arange(256, dtype=np.uint16).reshape(16, 16), syntax=syntax, StudyDescription="thorax")))
    for position, value in mutations:
        data[position % len(data)] = value
    hostile = bytes(data[:cut])
    try:
        header = header_of(hostile)
    except CannotUnderstand:
        pass
    else:
        assert isinstance(header.facts, Facts)
    try:
        dataset = read_dataset(BytesIO(hostile))
        examine(dataset, 16)
        tensor = preprocess(dataset, SPEC)
    except PixelError:
        return
    assert np.isfinite(tensor).all()


def test_the_uid_type_of_the_library_does_not_leak(film, as_file):
    assert type(header_of(as_file(film())).study_instance_uid) is str
    assert not isinstance(header_of(as_file(film())).sop_class_uid, UID)


@pytest.mark.parametrize("text", [" 1.2.3", "1.2.3\n", "\t1.2.3", "1.2.3\r\n", "1.2.3\x0b", "\x001.2.3"])
@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"])
def test_what_the_library_strips_from_a_uid_does_not_make_it_one(keyword, text):
    with pytest.raises(CannotUnderstand):
        header_of(objects.film(1, **{keyword: text}))


@pytest.mark.parametrize("text", ["1.2.3\x00", "1.2.3 ", "1.2.3\x00\x00\x00", "1.2.34"])
def test_a_uid_may_be_padded(text):
    assert header_of(objects.film(1, StudyInstanceUID=text)).study_instance_uid == text.rstrip("\0 ")


def test_a_header_is_read_from_its_first_bytes_only():
    """An undefined-length sequence of a million empty items stalled the receiver for half a minute."""
    empty_item = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
    sequence = b"\x08\x00\x15\x11SQ\x00\x00\xff\xff\xff\xff" + empty_item * 1_000_000
    stream = BytesIO(b"\x00" * 128 + b"DICM" + b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\x00" + sequence)
    with pytest.raises(CannotUnderstand):
        read_header(stream)
    assert stream.tell() <= HEADER_LIMIT


@pytest.mark.parametrize("place", [b"\x08\x00\x15\x11", b"\x70\x00\x01\x00"], ids=["before the UIDs", "behind what is read"])
def test_a_header_of_a_quarter_million_items_takes_no_memory_of_theirs(place):
    """Four of them at once took 776 MB and ten seconds, as long as they were parsed."""
    whole, data = objects.film(1), objects.data_of(objects.film(1))
    items = place + b"SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\0\0\0\0" * 250_000 + b"\xfe\xff\xdd\xe0\0\0\0\0"
    stream = BytesIO(whole[: -len(data)] + items + data)
    tracemalloc.start()
    try:
        with pytest.raises(CannotUnderstand):
            read_header(stream)
        stream.seek(0)
        assert picture_of(stream) is None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
