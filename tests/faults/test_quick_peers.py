"""The cheap tier of ``peers``, ``pdus`` and ``uids``, against ours alone: the same cases and attacks, fewer of them."""

import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults import attacks_idle as idle
from tests.faults import attacks_large as large
from tests.faults import attacks_odd as odd
from tests.faults import pdus, peers, uids
from tests.faults.attacks import HUNG_UP, Attack
from tests.faults.pdu_cases import command_cases, pdu_cases
from tests.faults.targets import Target, ours, settled
from tests.faults.wire import Peer
from tests.size import size

LIMIT = 4 << 20

QUICK: dict[str, Attack] = {
    "silent peers": Attack(id="F30", sees=HUNG_UP, act=lambda one, _: idle.silent(one, 7.0, 300)),
    "stops within a PDU": Attack(id="F32", sees=HUNG_UP, act=lambda one, _: idle.stop_within(one, 12.0, 5)),
    "long requests": Attack(id="F35", sees="", act=lambda one, _: idle.long_requests(one, 1.0, 800)),
    "requests of zeros": Attack(id="F35", sees=HUNG_UP, act=lambda one, _: idle.bad_requests(one, 3.0, 300)),
    "A-ASSOCIATE-RQ of 4 GiB": Attack(id="F35", sees=r"abort after \d MiB", act=large.huge_request),
    "P-DATA-TF of 500 MiB": Attack(id="F35", sees=r"abort after \d MiB", act=large.huge_pdu),
    "data set without end": Attack(id="F36", sees=r"abort after \d\d? MiB", act=large.endless),
    "command set in a data set": Attack(id="F38", sees="abort × 20", act=lambda one, _: odd.second_command(one, 1.0, 20)),
    "N-EVENT-REPORT": Attack(id="F38", sees="hung up on", act=lambda one, _: odd.flood(one, 1.0, 0x0100, 2_000)),
    "items in the header": Attack(id="F38", sees="status C100", act=lambda one, _: large.hard_headers(one, 1.0, 2)),
    "film cut off": Attack(id="F26", sees="cut off × 60", act=lambda one, _: odd.aborts(one, 1.0, 60)),
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One service for all: what one attack does to it, the next would notice."""
    with ours(tmp_path_factory.mktemp("peers"), {"dimse__max_object_bytes": str(LIMIT)}) as found:
        yield found


@pytest.mark.parametrize("name", size(list(QUICK)[2::2], list(QUICK)))
def test_a_hostile_peer_costs_the_others_nothing(target: Target, name: str) -> None:
    found = peers.attacked(target, QUICK[name], 1.0)
    print(f"\n{peers.row(name, found)}")
    assert peers.broken(QUICK[name], found, answered_within=5.0) == []  # other tests run beside this one


def test_a_command_set_or_pdu_that_is_wrong_in_one_respect_is_answered(target: Target) -> None:
    before = target.held()
    found = pdus.all_of(target, [*command_cases(), *(case for case in pdu_cases() if not case.waits)])
    print(f"\n{len(found)} cases: {pdus.summary(found.values())}")
    assert {case: came for case, came in found.items() if not pdus.is_answer(came)} == {}
    settled(target, before, 15)


def test_of_a_damaged_session_nothing_stays_but_what_was_acknowledged(target: Target) -> None:
    before = target.held()
    found = pdus.mutants(target, size(200, 400))
    after, _ = settled(target, before, 15)
    print(f"\n{len(found.came)} mutants in {found.seconds:.1f} s: {pdus.summary(found.came)}")
    assert len(found.acknowledged) > 20
    more = (after.rss_mb - before.rss_mb, after.threads - before.threads, after.descriptors - before.descriptors)
    assert pdus.broken(target, found, *more) == []


def test_a_hostile_uid_is_refused_and_the_association_goes_on(target: Target) -> None:
    found = uids.uids(target)
    print(f"\n{len(found.heard)} cases: {pdus.summary(found.heard.values())}; good films after them {found.good}")
    assert found.wrong == []
    assert found.good == len(found.heard) >= 160
    assert (uids.astray(target), target.leftovers(), target.stray_lines()) == ([], 0, [])


def test_where_no_thread_is_to_be_had_the_listener_stays(tmp_path: Path) -> None:
    """Memory or tasks at their limit: callers are told so, and the next ones get in."""
    with ours(tmp_path) as one, ExitStack() as stack:
        size = next(line for line in Path(f"/proc/{one.pid}/status").read_text().splitlines() if line.startswith("VmSize"))
        most = int(size.split()[1]) * 1024 + (3 << 20)
        resource.prlimit(one.pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
        heard = [stack.enter_context(Peer(one.port)).associate(calling=f"PEER{n}") for n in range(6)]
        resource.prlimit(one.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert "reject 2/3/2" in heard, heard
        assert one.is_alive()
        assert one.stray_lines() == []


@pytest.mark.peer
def test_what_begins_like_something_else_is_kept_with_a_blank_preamble(target: Target) -> None:
    sent, heard, strange = uids.polyglots(target)
    assert (sent, strange) == (2 * len(heard) - 3, [])
    assert all(map(uids.is_refusal, heard.values()))


def test_exactly_these_contexts_are_accepted(target: Target) -> None:
    assert uids.negotiated(target) ^ uids.EXACTLY == set()


def test_of_nine_callers_the_one_that_is_allowed_gets_in(tmp_path: Path) -> None:
    with ours(tmp_path, {"dimse__allowed_peers": "MODALITY@127.0.0.2"}) as one:
        found = dict(uids.combinations(one, one.ae_title))
        assert len(found) == 9
        assert [case for case, came in found.items() if came == "accept"] == ["called TRIAGE, MODALITY at its address"]
