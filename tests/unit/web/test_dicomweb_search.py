"""QIDO-RS: in the order of the list, by any key, a page at a time; what cannot be understood is refused in one line."""

from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.films import film
from tests.unit.web.conftest import NOW, Client, Open
from tests.unit.web.pictures import Room
from triage.domain.query_keys import QueryLevel
from triage.imaging.header import read_header
from triage.web.dicomweb import qido
from triage.web.dicomweb.refused import Refused
from triage.web.dicomweb.search_query import MOST_RESULTS, search_of

MINUTE = timedelta(minutes=1)
STUDIES = "/dicomweb/studies"
NAMES = {"1.2.1": "Adams^Ann", "1.2.2": "Brown^Bo", "1.2.3": "Müller^Jürgen=漢字^名"}


def stored(room: Room, film: bytes, at: Any) -> Any:
    instance = room.store(film, at)
    with room.database.write() as tx:
        tx.queries.put_attributes(instance.sop_instance_uid, read_header(BytesIO(film)).attributes)
    return instance


@pytest.fixture
def client(open_site: Open) -> Client:
    """Three studies: the last to arrive is flagged, the first is not, the second was read by nobody and nothing yet."""
    room, levels = Room(), {"1.2.1": 0.1, "1.2.2": None, "1.2.3": 0.9}
    for number, (uid, name) in enumerate(NAMES.items()):
        elements: dict[str, Any] = {
            "StudyDate": f"2026112{number}",
            "StudyTime": "101500",
            "SeriesNumber": "1",
            "SpecificCharacterSet": "ISO_IR 192",
        }
        made = film(
            uid, f"{uid}.1.1", patient_id=f"P-{number}", patient_name=name, accession_number=f"A-{number}", rows=8, columns=8,
            **elements,
        )  # fmt: skip
        instance = stored(room, made, NOW - (9 - number) * MINUTE)
        if (probability := levels[uid]) is not None:
            room.decide(instance, probability=probability)
    second = film(
        "1.2.3",
        "1.2.3.2.1",
        series_uid="1.2.3.2",
        patient_id="P-2",
        patient_name=NAMES["1.2.3"],
        modality="CR",
        rows=8,
        columns=8,
    )
    stored(room, second, NOW - MINUTE)
    return open_site(room.database, films=room.films)


def uids(client: Client, path: str, tag: str = "0020000D") -> list[str]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return [one[tag]["Value"][0] for one in answer.json()]


def test_studies_come_in_the_order_of_the_list(client: Client) -> None:
    assert uids(client, STUDIES) == [row["study_instance_uid"] for row in client.get("/api/v1/worklist").json()]
    assert uids(client, STUDIES)[-1] == "1.2.1", "the one without a suspicion comes last, although it came first"


def test_a_study_is_told_as_a_viewer_lists_it(client: Client) -> None:
    answer = client.get(f"{STUDIES}?00100020=P-2", headers={"accept": "application/dicom+json"})
    assert answer.headers["content-type"] == "application/dicom+json"
    (one,) = answer.json()
    assert one["00080005"]["Value"] == ["ISO_IR 192"]
    assert one["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jürgen", "Ideographic": "漢字^名"}]}
    assert (one["00080020"]["Value"], one["00080050"]["Value"]) == (["20261122"], ["A-2"])
    assert sorted(one["00080061"]["Value"]) == ["CR", "DX"]
    assert (one["00201206"]["Value"], one["00201208"]["Value"]) == ([2], [2])
    assert one["00081190"]["Value"] == [f"{STUDIES}/1.2.3"]
    assert one["00200010"] == {"vr": "SH"}, "required, and not known"
    assert "00324000" not in one


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("PatientName=adams*", {"1.2.1"}),
        ("PatientName=*%5Eb?", {"1.2.2"}),
        ("00100010=M%C3%9CLLER%5EJ%C3%BCrgen", {"1.2.3"}),
        ("StudyDate=20261121-20261122", {"1.2.2", "1.2.3"}),
        ("StudyDate=-20261120", {"1.2.1"}),
        ("StudyDate=20261122-", {"1.2.3"}),
        ("StudyInstanceUID=1.2.1,1.2.3", {"1.2.1", "1.2.3"}),
        ("StudyInstanceUID=1.2.1&StudyInstanceUID=1.2.2", {"1.2.1", "1.2.2"}),
        ("0020000d=1.2.1%5C1.2.2", {"1.2.1", "1.2.2"}),
        ("ModalitiesInStudy=CR", {"1.2.3"}),
        ("ModalitiesInStudy=CR,DX", {"1.2.1", "1.2.2", "1.2.3"}),
        ("AccessionNumber=A-1", {"1.2.2"}),
        ("PatientID=", {"1.2.1", "1.2.2", "1.2.3"}),
        ("PatientID=nobody", set()),
        ("StudyInstanceUID=1.9.9", set()),
    ],
)
def test_keys_match_as_for_c_find(client: Client, query: str, found: set[str]) -> None:
    assert set(uids(client, f"{STUDIES}?{query}")) == found


def test_series_and_films_within_and_across_studies(client: Client) -> None:
    assert uids(client, f"{STUDIES}/1.2.3/series", "0020000E") == ["1.2.3.1", "1.2.3.2"]
    (one,) = client.get(f"{STUDIES}/1.2.3/series?Modality=CR").json()
    assert one["0020000E"]["Value"] == ["1.2.3.2"]
    assert one["00201209"]["Value"] == [1]
    assert one["00081190"]["Value"] == [f"{STUDIES}/1.2.3/series/1.2.3.2"]
    assert "00100010" not in one, "the study was chosen by the address"
    assert uids(client, f"{STUDIES}/1.2.3/instances", "00080018") == ["1.2.3.1.1", "1.2.3.2.1"]
    assert uids(client, f"{STUDIES}/1.2.3/series/1.2.3.2/instances", "00080018") == ["1.2.3.2.1"]
    assert len(uids(client, "/dicomweb/series")) == 4
    films = client.get("/dicomweb/instances?SOPInstanceUID=1.2.1.1.1").json()
    assert films[0]["00280010"]["Value"] == [8]
    assert films[0]["00100020"]["Value"] == ["P-0"]
    assert films[0]["00081190"]["Value"] == [f"{STUDIES}/1.2.1/series/1.2.1.1/instances/1.2.1.1.1"]
    assert uids(client, f"{STUDIES}/1.9.9/series") == []


def test_fields_are_included_by_keyword_tag_and_all(client: Client) -> None:
    for field in ("PatientName", "00100010", "00081030,00100010", "all", "StudyDescription&includefield=PatientName"):
        (one,) = client.get(f"{STUDIES}/1.2.1/series?includefield={field}").json()
        assert one["00100010"]["Value"] == [{"Alphabetic": "Adams^Ann"}], field
    (one,) = client.get(f"{STUDIES}?StudyInstanceUID=1.2.3&includefield=StudyComments").json()
    assert one["00324000"]["Value"][0].startswith("AI triage: ")
    assert "notification only" in one["00324000"]["Value"][0]


def test_a_page_at_a_time_and_said_when_there_is_more(client: Client) -> None:
    whole = uids(client, STUDIES)
    assert [uids(client, f"{STUDIES}?limit=1&offset={number}") for number in range(4)] == [[uid] for uid in whole] + [[]]
    assert "exceeded the maximum" in client.get(f"{STUDIES}?limit=2").headers["warning"]
    assert "warning" not in client.get(f"{STUDIES}?limit=3").headers
    assert uids(client, f"{STUDIES}?limit=0") == []
    assert uids(client, f"{STUDIES}?limit=999999999&offset=999999999") == []
    assert search_of(QueryLevel.STUDY, [("limit", "999999999")], {}).limit == MOST_RESULTS


def test_what_is_not_done_is_told(client: Client) -> None:
    fuzzy = client.get(f"{STUDIES}?fuzzymatching=true&PatientName=Adams*")
    assert fuzzy.headers["warning"].startswith('299 triage "The fuzzymatching parameter is not supported')
    below = client.get(f"{STUDIES}?Modality=CR&KVP=120")
    assert below.headers["warning"] == '299 triage "Not matched at this level: Modality, KVP"'
    assert len(below.json()) == 3, "nobody is left out for it"


WRONG = (
    "limit=-1", "limit=x", "limit=1.5", "limit=", "limit=1&limit=2", "limit=99999999999999999999", "limit=%EF%BC%91",
    "offset=-1", "offset=1e3", "fuzzymatching=maybe", "includefield=Nonsense", "includefield=0010001", "Nonsense=1",
    "0010001=1", "001000100=1", "StudyDate=yesterday", "StudyDate=20261301", "StudyDate=20261120-20261121-20261122",
    "StudyTime=25", f"PatientName={'x' * 300}", f"StudyInstanceUID={','.join(['1.2'] * 1001)}",
    "a%0d%0aSet-Cookie:%20x=1=1", "includefield=%0d%0a1", "%3Cscript%3E=1", "__class__=1", "..=1", ".=1",
)  # fmt: skip


@pytest.mark.parametrize("query", WRONG)
def test_a_bad_parameter_is_refused_in_one_line(client: Client, query: str) -> None:
    answer = client.get(f"{STUDIES}?{query}")
    assert answer.status_code == 400, answer.text
    assert 0 < len(answer.json()["detail"]) < 120
    assert "\n" not in answer.json()["detail"]
    assert "set-cookie" not in answer.headers


def test_a_search_ends_in_time_and_gives_its_place_back(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(qido, "SECONDS", -1.0)
        for _ in range(qido.AT_ONCE + 1):
            answer = client.get(f"{STUDIES}?PatientName=*z*")
            assert (answer.status_code, "too long" in answer.json()["detail"]) == (503, True)
    assert uids(client, f"{STUDIES}?PatientName=adams*") == ["1.2.1"]


@pytest.mark.parametrize("depth", [40, 20_000])
@pytest.mark.parametrize("name", ["{}", "includefield"])
def test_an_attribute_within_sequences_without_end_is_refused_at_once(name: str, depth: int) -> None:
    path = ".".join(["Rows"] * depth)
    with pytest.raises(Refused):
        search_of(QueryLevel.STUDY, [(name.format(path), path)], {})


def test_a_uid_of_the_address_is_one_and_stands_there_alone(client: Client) -> None:
    assert client.get(f"{STUDIES}/1.02/series").status_code == 400
    assert client.get(f"{STUDIES}/{quote('*')}/series").status_code == 400
    assert client.get(f"{STUDIES}/1.2.3/series?StudyInstanceUID=1.2.1").status_code == 400
    assert client.get(STUDIES, headers={"accept": "application/dicom+xml"}).status_code == 406


@given(
    st.lists(
        st.tuples(
            st.text(max_size=30) | st.sampled_from(["limit", "PatientName", "00100010", "includefield"]), st.text(max_size=60)
        ),
        max_size=5,
    )
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_asked_is_a_search_or_a_refusal(parameters: list[tuple[str, str]]) -> None:
    for level in (QueryLevel.STUDY, QueryLevel.SERIES, QueryLevel.IMAGE):
        try:
            search = search_of(level, parameters, {})
        except Refused as error:
            refused = error
            assert refused.status == 400, "nothing else can be wrong"
            continue
        assert 0 <= search.limit <= MOST_RESULTS
        " ".join(search.warnings).encode("latin-1")  # goes into a header
