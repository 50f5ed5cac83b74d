"""What holds for every page at once: hostile text stays text, no study is ever called *normal*, and every address answers."""

import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser

import httpx

from tests.hostile import PAYLOADS
from tests.size import size
from tests.unit.web.conftest import NOW, Client, Open
from tests.unit.web.every_page import Address, addresses, is_page
from tests.unit.web.furnished import House, Tell, words
from tests.unit.web.signed_in import SignedIn
from triage.domain.account import Role

FORBIDDEN = re.compile(r"\bnormal(?:s|ly)?\b", re.IGNORECASE)
INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\x00-\x08\x0e-\x1f\x7f]")


class Shape(HTMLParser):
    """Which elements with which attributes a page has, and what is read on it."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[tuple[str, ...]] = set()
        self.addresses: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.add((tag, *sorted(name for name, _ in attributes)))
        self.addresses += [value or "" for name, value in attributes if name in ("href", "src", "action", "formaction")]
        self.words += [value or "" for name, value in attributes if name in ("title", "aria-label", "alt", "placeholder")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def shape(page: str) -> Shape:
    parsed = Shape()
    parsed.feed(page)
    parsed.close()
    return parsed


def well(path: str, answer: httpx.Response) -> bool:
    """No failure; that the house is in trouble is what ``/readyz`` has to say."""
    return answer.status_code < 500 or path == "/readyz"


def answered(
    open_site: Open, role: Role, tell: Tell = words, studies: int = 12, house: House | None = None
) -> tuple[House, Client, list[Address]]:
    house = house or House(NOW, tell, studies)
    client = open_site(house.database, NOW, authenticator=SignedIn(role=role, csrf="c"), **house.options)
    return house, client, [one for one in addresses(house) if one.open_to(role)]


def test_every_address_answers_every_role_and_calls_no_study_normal(open_site: Open) -> None:
    asked, said, pages = 0, [], set()
    house = House(NOW)
    for role in Role:
        _, client, found = answered(open_site, role, house=house)
        for one in found:
            if one.route.startswith("/api/v1/instances") and role is not Role.RADIOLOGIST:
                continue  # pictures are the same for everybody; the matrix of roles is in test_sign_in.py
            answer = client.get(one.path)
            asked += 1
            assert well(one.path, answer), (role, one.path, answer.text)
            assert answer.status_code not in (401, 403, 405), (role, one.path)
            assert answer.text != '{"detail":"Not Found"}', f"{one.route} is in the table but the application does not serve it"
            if is_page(answer.text):
                pages.add(one.route)
            kind = answer.headers.get("content-type", "")
            if not kind.startswith(("image/", "application/octet-stream")) and FORBIDDEN.search(unescape(answer.text)):
                told = " ".join(shape(answer.text).words) if kind.startswith("text/html") else answer.text
                said += [(role.value, one.path)] if FORBIDDEN.search(told) else []
    print(f"{asked} addresses × roles answered, {len(pages)} pages among them: {', '.join(sorted(pages))}")
    print(f"the word on them: {len(said)} hits")
    assert said == []
    assert {"/", "/study/{uid}", "/api/docs", "/sign-in", "/password"} <= pages


def test_a_patient_of_that_name_keeps_it(open_site: Open) -> None:
    def tell(field: str, number: int) -> str:
        return "Normal^Norma" if field == "patient_name" else f"{field} {number}"

    house, client, _ = answered(open_site, Role.RADIOLOGIST, tell)
    assert "Normal, Norma" in client.get("/").text
    assert "Normal, Norma" in client.get(f"/study/{house.uids[0]}").text


def test_hostile_text_stays_text_on_every_page(open_site: Open) -> None:
    """Whatever the payload, a page has the elements that tame text gives it, and no address is made of it."""
    fields: set[str] = set()
    tame = _seen(open_site, lambda field, number: f"{field} {number}", len(PAYLOADS))
    for route, found in _seen(open_site, lambda *_: "").items():  # what is absent has elements of its own
        tame[route] |= found

    def tell(field: str, number: int) -> str:
        fields.add(field)
        return PAYLOADS[number % len(PAYLOADS)]

    hostile = _seen(open_site, tell, len(PAYLOADS))
    wrong = {route: found - tame[route] for route, found in hostile.items() if found - tame[route]}
    print(f"{len(PAYLOADS)} payloads × {len(fields)} fields on {len(hostile)} pages: {len(wrong)} pages changed their shape")
    assert wrong == {}
    assert len(set(PAYLOADS)) == len(PAYLOADS) == 40


def _seen(open_site: Open, tell: Callable[[str, int], str], studies: int = 12) -> dict[str, set[tuple[str, ...]]]:
    seen: dict[str, set[tuple[str, ...]]] = {}
    for role in size((Role.RADIOLOGIST, Role.PACS_ADMIN), (Role.RADIOLOGIST, Role.PACS_ADMIN, Role.ML_ADMIN, Role.AUDITOR)):
        house, client, found = answered(open_site, role, tell, studies)
        paths = {one.path: one.route for one in found if not one.route.startswith("/api/v1/")}
        if role is Role.RADIOLOGIST:
            paths |= {f"/study/{uid}": "/study/{uid}" for uid in house.uids[:: size(2, 1)]}
        for path, route in paths.items():
            house.beat(int(path.rpartition(".")[2]) if route == "/study/{uid}" and "?" not in path else 1)
            answer = client.get(path)
            assert well(path, answer), path
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            page = shape(answer.text)
            seen.setdefault(route, set()).update(page.elements)
            assert not INVISIBLE.search(answer.text), (path, INVISIBLE.search(answer.text))
            # an address is ours, or the hospital's viewer with the text inside, quoted
            foreign = [
                one
                for one in page.addresses
                if not re.fullmatch(r"(?:/(?!/)|#|https://pacs\.example/)[^\s<>\"']*|\?[^\s<>\"']*", one)
            ]
            assert foreign == [], (path, foreign)
    return seen
