"""Keys match values as PS3.4 C.2.2.2 has it; a naive reference agrees, and hostile keys cost little."""

import re
import time
from datetime import date
from datetime import time as time_

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.domain.matching import LONGEST_KEY, MalformedKey, combined, fits, matcher


def match(vr: str, asked: str, *values: str) -> bool:
    test = matcher("Key", vr, asked)
    return test is None or test(values)


@pytest.mark.parametrize("asked", ["", " ", "*", "**", "\0", "a\\*"])
def test_an_empty_key_or_a_star_matches_everything(asked: str) -> None:
    assert matcher("Key", "LO", asked) is None


@pytest.mark.parametrize("asked", ["^", "^^^^", "*^*", "*^*^*=*", "=", "**^ ^"])
def test_a_name_of_which_no_part_was_filled_in_matches_everything(asked: str) -> None:
    """Also a study without a name."""
    assert matcher("Key", "PN", asked) is None
    assert matcher("Key", "LO", asked) is not None


CASES = [
    ("LO", "chest", ("chest",), True),
    ("LO", "chest", ("Chest",), False),
    ("LO", " chest ", ("chest",), True),
    ("LO", "ch", ("chest",), False),
    ("LO", "a\\chest", ("chest",), True),
    ("LO", "ch*", ("chest",), True),
    ("LO", "CH*", ("chest",), False),
    ("LO", "c?est", ("chest",), True),
    ("LO", "c?est", ("cest",), False),
    ("LO", "*", (), True),
    ("LO", "?*", (), False),
    ("LO", "ch.*", ("chest",), False),
    ("CS", "DX", ("CR", "DX"), True),
    ("CS", "DX\\MG", ("CR",), False),
    ("PN", "doe^jane", ("DOE^Jane",), True),
    ("PN", "Doe^Jane^^^", ("Doe^Jane",), True),
    ("PN", "Doe^Jane", ("Doe^Jane^^",), True),
    ("PN", "doe*", ("Doe^Jane",), True),
    ("PN", "doe^*", ("DOE",), True),
    ("PN", "*jane", ("Doe^Jane",), True),
    ("PN", "doe", ("Doe^Jane",), False),
    ("PN", "müller^*", ("MÜLLER^Jörg",), True),
    ("PN", "山田^太郎", ("Yamada^Tarou=山田^太郎=やまだ^たろう",), True),
    ("PN", "yamada*", ("Yamada^Tarou=山田^太郎",), True),
    ("PN", "Doe^Jane=山田", ("Doe^Jane",), False),
    ("UI", "1.2.3", ("1.2.3",), True),
    ("UI", "1.2.4\\1.2.3", ("1.2.3",), True),
    ("UI", "1.2.*", ("1.2.3",), False),
    ("UI", "1.2", ("1.2.3",), False),
    ("DA", "20260102", ("20260102",), True),
    ("DA", "20260102", ("2026.01.02",), True),
    ("DA", "20260102-", ("20260102",), True),
    ("DA", "20260103-", ("20260102",), False),
    ("DA", "-20260102", ("20260102",), True),
    ("DA", "-20260101", ("20260102",), False),
    ("DA", "20260101-20260103", ("20260103",), True),
    ("DA", "20260101-20260103", ("20260104",), False),
    ("DA", "20260101 - 20260103", ("20260101",), True),
    ("DA", "20260101-", (), False),
    ("DA", "20260101-", ("yesterday",), False),
    ("PN", "=山田*", ("Yamada^Tarou=山田^太郎",), True),
    ("PN", "=山田^太郎", ("Yamada^Tarou=山田^太郎=やまだ^たろう",), True),
    ("PN", "yamada^tarou=山田^太郎", ("Yamada^Tarou=山田^太郎=やまだ^たろう",), True),
    ("PN", "yam*=*太郎", ("Yamada^Tarou=山田^太郎=やまだ^たろう",), True),
    ("PN", "yamada*=", ("Yamada^Tarou=山田^太郎",), True),
    ("PN", "=yamada*", ("Yamada^Tarou=山田^太郎",), False),
    ("PN", "=山田*", ("Yamada^Tarou",), False),
    ("PN", "suzuki*=山田*", ("Yamada^Tarou=山田^太郎",), False),
    ("DA", "20260102", ("2026-01-02",), True),
    ("TM", "1030", ("103000.1234567",), True),
    ("TM", "1030", ("103000.half",), False),
    ("TM", "1030", ("103059.999",), True),
    ("TM", "1030", ("103100",), False),
    ("TM", "10-1030", ("103059",), True),
    ("TM", "10-1030", ("1031",), False),
    ("TM", "-09", ("095959",), True),
    ("TM", "10:30:00-", ("103000.000001",), True),
    ("TM", "103000", ("103000.5",), True),
    ("TM", "103000.5", ("103000",), False),
    ("IS", "1", ("01",), True),
    ("IS", "1", ("10",), False),
    ("US", "64", ("64",), True),
]


@pytest.mark.parametrize(("vr", "asked", "values", "expected"), CASES)
def test_a_key_matches(vr: str, asked: str, values: tuple[str, ...], expected: bool) -> None:
    assert match(vr, asked, *values) is expected


@pytest.mark.parametrize(
    ("vr", "asked"),
    [("DA", "2026"), ("DA", "20260230"), ("DA", "-"), ("DA", "2026*"), ("DA", "1-2-3"), ("TM", "25"), ("TM", "1x"),
     ("IS", "many"), ("DA", "２０２６０１０１"), ("LO", "x" * 257), ("UI", "1\\" * 2000), ("LO", "x" * (LONGEST_KEY + 1))],
)  # fmt: skip
def test_what_cannot_be_a_value_is_told_apart_from_no_match(vr: str, asked: str) -> None:
    with pytest.raises(MalformedKey) as refused:
        matcher("StudyDate", vr, asked)
    assert "StudyDate" in str(refused.value)
    assert asked[:20] not in str(refused.value), "a key can hold a name"


LETTERS = st.text("ab*?", max_size=8)


@given(LETTERS, st.text("ab", max_size=10))
def test_wild_cards_are_those_of_a_naive_reference(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    assert fits(pattern, text) == bool(re.fullmatch(expression, text, re.DOTALL))


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_matched_by_itself_and_by_its_beginning(text: str, more: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    assert fits(f"{plain}*", plain + more)
    assert fits(plain, plain)


DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1))


@given(st.none() | DAYS, st.none() | DAYS, DAYS)
def test_a_range_of_days_holds_both_ends(first: date | None, last: date | None, day: date) -> None:
    if first is None and last is None:
        return
    asked = f"{first:%Y%m%d}" if first else ""
    asked += "-" + (f"{last:%Y%m%d}" if last else "")
    expected = (first is None or first <= day) and (last is None or day <= last)
    assert match("DA", asked, f"{day:%Y%m%d}") is expected


CLOCKS = st.times()


@given(CLOCKS, CLOCKS, CLOCKS)
def test_a_range_of_times_holds_both_ends(first: time_, last: time_, moment: time_) -> None:
    written = [f"{one:%H%M%S.%f}" for one in (first, last, moment)]
    assert match("TM", f"{written[0]}-{written[1]}", written[2]) is (written[0] <= written[2] <= written[1])


@given(DAYS, CLOCKS, DAYS, CLOCKS, DAYS, CLOCKS)
def test_a_day_and_a_time_are_one_moment_where_it_is_asked(
    d1: date, t1: object, d2: date, t2: object, d: date, t: object
) -> None:
    test = combined(f"{d1:%Y%m%d}-{d2:%Y%m%d}", f"{t1:%H%M%S.%f}-{t2:%H%M%S.%f}")
    assert test([f"{d:%Y%m%d}"], [f"{t:%H%M%S.%f}"]) is ((d1, t1) <= (d, t) <= (d2, t2))


def test_no_wild_card_takes_long() -> None:
    hostile = ["*a" * 127 + "b", "?" * 255 + "*", "*" + "a" * 254 + "b", "a*" * 128]
    begun = time.process_time()
    for pattern in hostile:
        fits(pattern, "a" * 256)
    print(f"four hostile patterns: {(time.process_time() - begun) * 1e3:.0f} ms")
    assert time.process_time() - begun < 5, "it is exponential"
