"""Claims become an account's name and role; whatever does not fit is refused with a code that holds no claim."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triage.domain.account import Role
from triage.domain.external import ExternalRefused, Rules, is_safe_url, person_of, values_at

ROLES = {"chiefs": Role.PACS_ADMIN, "readers": Role.RADIOLOGIST}
RULES = Rules(issuer="https://idp.example", roles=ROLES)
ANNA = {"sub": "u-1", "preferred_username": "Anna", "groups": ["kitchen", "readers"]}


def rules(**changes: Any) -> Rules:
    return Rules(**{"issuer": "https://idp.example", "roles": ROLES, **changes})


def test_a_person() -> None:
    person = person_of(ANNA, RULES)
    assert (person.subject, person.name, person.role) == ("https://idp.example u-1", "anna", Role.RADIOLOGIST)
    assert person_of(ANNA | {"groups": ["readers", "chiefs"]}, RULES).role is Role.PACS_ADMIN, "the first of the table"
    assert person_of(ANNA | {"groups": "chiefs"}, RULES).role is Role.PACS_ADMIN
    assert person_of(ANNA | {"preferred_username": "anna@hospital.example"}, RULES).name == "anna@hospital.example"


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["readers"]}}),
        ("resource_access.triage.roles", {"resource_access": {"triage": {"roles": ["readers"]}}}),
        ("https://hospital.example/roles", {"https://hospital.example/roles": ["readers"]}),
    ],
)
def test_a_role_may_lie_deeper(path: str, claims: dict[str, Any]) -> None:
    assert person_of(ANNA | {"groups": []} | claims, rules(role_claim=path)).role is Role.RADIOLOGIST


def test_an_address_names_somebody_only_when_it_was_verified() -> None:
    by_mail = rules(name_claim="email")
    assert person_of(ANNA | {"email": "a@h.example", "email_verified": True}, by_mail).name == "a@h.example"
    for verified in (False, None, "true"):
        with pytest.raises(ExternalRefused):
            person_of(ANNA | {"email": "a@h.example", "email_verified": verified}, by_mail)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": None}, "no subject"),
        ({"sub": ""}, "no subject"),
        ({"sub": "x" * 256}, "no subject"),
        ({"sub": "ä"}, "no subject"),
        ({"sub": "a\nb"}, "no subject"),
        ({"preferred_username": ""}, "no account name"),
        ({"preferred_username": ["anna", "ben"]}, "no account name"),
        ({"preferred_username": {"x": 1}}, "no account name"),
        ({"preferred_username": "a b"}, "no account name"),
        ({"preferred_username": "ＡＮＮＡ"}, "no account name"),
        ({"groups": None}, "no role"),
        ({"groups": []}, "no role"),
        ({"groups": ["Readers"]}, "no role"),
        ({"groups": [["readers"]]}, "no role"),
        ({"groups": {"readers": 1}}, "no role"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(ExternalRefused) as caught:
        person_of(ANNA | changes, RULES)
    assert caught.value.code == code


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("readers"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a.b", "groups"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(st.sampled_from(["sub", "preferred_username", "groups", "a", "a.b"]), JSON),
    st.sampled_from(["a.b", "groups", "a.b.a"]),
)
def test_whatever_a_provider_says_is_a_person_or_a_refusal(claims: dict[str, Any], path: str) -> None:
    assert all(isinstance(value, str) for value in values_at(claims, path))
    try:
        person = person_of(claims, rules(role_claim=path))
    except ExternalRefused:
        return
    assert person.role in ROLES.values()


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://idp.example/realms/h", True),
        ("http://127.0.0.1:8180/realms/h", True),
        ("http://localhost:8180", True),
        ("http://[::1]:8180", True),
        ("http://idp.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://127.1@evil.example", False),
        ("https://user:pass@idp.example", False),
        ("https://idp.example/#x", False),
        ("https://", False),
        ("https://[", False),
        ("https://idp.example:99999", False),
        ("https://idp example", False),
        ("https://idp.example/\n", False),
        ("ftp://127.0.0.1", False),
        ("file:///etc/passwd", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_where_a_provider_may_be_asked(url: str, safe: bool) -> None:
    assert is_safe_url(url) is safe
    assert is_safe_url(url, loopback=False) is (safe and url.startswith("https"))
