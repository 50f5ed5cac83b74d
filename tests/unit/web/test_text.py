"""Header values as a person reads them."""

from datetime import UTC, date, datetime

import pytest

from triage.domain.instance import Facts
from triage.web.text import age_and_sex, clock_time, lines, person, plain


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Okafor^Adaeze^N", "Okafor, Adaeze N"),
        ("Okafor", "Okafor"),
        ("^Adaeze", "Adaeze"),
        ("Adams^John Robert Quincy^^Rev.^B.A. M.Div.", "Adams, John Robert Quincy"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou (山田, 太郎)"),
        ("=山田^太郎", "山田, 太郎"),
        ("^^^^", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_person(name: str | None, shown: str) -> None:
    assert person(name) == shown


@pytest.mark.parametrize(
    ("age", "born", "sex", "shown"),
    [
        ("045Y", "19000101", "F", "45 y, F"),
        ("006M", None, "M", "6 mo, M"),
        ("012D", None, None, "12 d"),
        (None, "19691124", "f", "56 y, F"),
        (None, "19691123", "O", "57 y, other"),
        (None, "20250924", "M", "13 mo, M"),
        (None, "20270101", None, ""),
        ("45", "not a date", "X", ""),
        (None, None, None, ""),
    ],
)
def test_age_and_sex(age: str | None, born: str | None, sex: str | None, shown: str) -> None:
    facts = Facts(patient_age=age, patient_birth_date=born, patient_sex=sex)
    assert age_and_sex(facts, date(2026, 11, 23)) == shown


def test_plain_is_short_visible_and_on_one_line() -> None:
    assert plain("  Chest \n PA ") == "Chest PA"
    assert plain("a\u202eb\x00c") == "a\ufffdb\ufffdc"
    assert plain("x" * 65) == "x" * 63 + "…"
    assert plain(None) == ""


def test_a_note_keeps_its_lines() -> None:
    assert lines(" one\r\n\n  two\u2028three ", 100) == "one\ntwo\nthree"
    assert lines("xxxx\nyyyy", 7) == "xxxx\nyy"
    assert lines(None, 9) == ""


def test_clock_time_has_a_date_unless_it_is_today() -> None:
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert clock_time(now, now) == now.astimezone().strftime("%H:%M")
    assert clock_time(datetime(2026, 11, 20, 12, 0, tzinfo=UTC), now).startswith("20 Nov ")
