"""The API under cases made from its own description: it does not fail, and answers with no status that is not described."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi

from tests.size import size
from tests.unit.web.every_page import PARAMETERS
from tests.unit.web.furnished import House
from triage.domain.account import GRANTS, Role
from triage.services.sessions import csrf_of
from triage.web.app import create_app
from triage.web.permissions import PUBLIC, ROUTES
from triage.web.sign_in import COOKIE

CASES = size(2, 12)
"""Of each kind (as described; deliberately not), for each operation and each who asks."""
HERE = "http://127.0.0.1"
PASSWORD = "four quiet herons wade"


@pytest.fixture
def house() -> Iterator[tuple[House, FastAPI]]:
    house = House(datetime.now(UTC))
    app = create_app(house.database, clock=lambda: datetime.now(UTC), free_bytes=lambda: 10**9, **house.options)
    yield house, app
    app.state.previews.close()
    app.state.opened.close()


def credentials(house: House, role: Role) -> dict[str, str]:
    """A script's token, or a browser's session with what a change needs."""
    name = f"case-{role.value.replace('_', '-')}"
    with house.database.read() as tx:
        there = tx.accounts.account(name)
    if role is Role.SERVICE:
        if there is None:
            house.accounts.add(name, role, "test")
        return {"authorization": f"Bearer {house.accounts.issue_token(name, 'test')}"}
    if there is None:
        house.accounts.add(name, role, "test", PASSWORD)
    secret = house.accounts.sign_in(name, PASSWORD, "")
    return {"cookie": f"{COOKIE}={secret}", "x-csrf-token": csrf_of(secret), "origin": HERE}


def who_ask(path: str, method: str) -> list[Role]:
    """A script and a radiologist; and, where neither may, the first role that may."""
    usual = [Role.SERVICE, Role.RADIOLOGIST]
    if path in PUBLIC:
        return usual[:1]
    permission = ROUTES[path][method]
    return usual + (
        [] if any(permission in GRANTS[role] for role in usual) else [next(r for r in Role if permission in GRANTS[r])]
    )


@pytest.mark.soak
def test_the_service_does_not_fail_and_says_what_it_can_answer(house: tuple[House, FastAPI]) -> None:
    furnished, app = house
    schema = openapi.from_dict(app.openapi())
    schema.app = app
    answers: Counter[int] = Counter()
    wrong: list[tuple[str, str, int, str]] = []
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:
        documented = set(operation.definition.raw["responses"])
        made = [
            case for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) for case in cases(operation, mode, furnished)
        ]
        for role in who_ask(operation.path, operation.method.upper()):
            headers = credentials(furnished, role)
            for case in made:
                answer = case.call(base_url=HERE, headers=headers)
                answers[answer.status_code] += 1
                if str(answer.status_code) not in documented or (answer.status_code >= 500 and operation.path != "/readyz"):
                    wrong.append((operation.label, role.value, answer.status_code, str(answer.text)[:200]))
    told = ", ".join(f"{status}: {count}" for status, count in sorted(answers.items()))
    print(f"{len(operations)} operations, {answers.total()} cases ({told}); failures or statuses not described: {len(wrong)}")
    assert wrong == []
    assert {200, 404, 409, 422} <= set(answers), "the cases reach what the operations do"


def cases(operation: Any, mode: GenerationMode, house: House) -> list[Any]:
    """The same ones each time. Every other one asks for something that is there."""
    made: list[Any] = []
    known = sorted((key for key in PARAMETERS if key in operation.path), key=len)
    values: Callable[[House], list[str]] = PARAMETERS[known[-1]] if known else lambda _: []
    there = st.sampled_from(values(house)) if known else st.none()

    @settings(
        max_examples=CASES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(case=operation.as_strategy(generation_mode=mode), value=there, real=st.booleans())
    def collect(case: Any, value: str | None, real: bool) -> None:
        if value is not None and real:
            case.path_parameters = dict.fromkeys(case.path_parameters, value)
        made.append(case)

    try:
        collect()
    except Exception as error:
        if type(error).__name__ not in ("Unsatisfiable", "SkipTest", "Skipped"):
            raise  # there is nothing about the operation that could be got wrong
    return made
