"""Whether what the network says of recent studies still looks like what it said when it began here. Pure.

Compared are the oldest kept studies of the network that serves and the newest ones: the distribution of scores, and for each
sender how many are flagged and how many could not be assessed. None of it tells whether the network is right; it tells that
films, patients or machines are no longer what they were. Population Stability Index: as in credit scoring; the two-sample
Kolmogorov-Smirnov test: Smirnov 1948, its limit distribution; shares: the upper tails of the hypergeometric distribution
(Fisher's exact test).
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp, fsum, lgamma, log
from typing import NamedTuple

from triage.domain.level import Level

REFERENCE, RECENT = 1000, 300
"""Studies that are compared: of the oldest so many, of the newest so many."""
REFERENCE_AT_LEAST = 300
SENDER_REFERENCE_AT_LEAST, SENDER_RECENT = 60, 60
FLOOD, FLOODED = 50, 0.95
"""Of the newest so many studies so large a share flagged orders nothing any more."""
BINS = 10
PSI_AT_LEAST = 0.25
"""What is commonly called a major shift; below, a difference may be certain and mean nothing."""
UNLIKELY = 1e-6
"""So unlikely a difference has to be, over all senders together. Looked at every hour for years, chance stays below it."""
MARGIN = 0.1
"""So much a sender's share has to differ: a certain difference that nobody would notice is none."""


class Judged(NamedTuple):
    """A study that waits for the network no longer. ``sender``: the calling AE title of its first film."""

    arrived_at: datetime
    level: Level
    probability: float | None
    model: str
    sender: str

    @property
    def flagged(self) -> bool:
        """Whether the network flagged it."""
        return self.level is Level.FLAGGED

    @property
    def assessed(self) -> bool:
        """Whether it has a score."""
        return self.level in (Level.FLAGGED, Level.NOT_FLAGGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What was compared and found. ``psi``, ``p_value``: of the scores; ``None``: too few studies yet. ``findings``: in words
    for an administrator; ``flood``: in words for the list, where nearly everything is flagged."""

    model: str
    reference: int
    recent: int
    psi: float | None = None
    p_value: float | None = None
    findings: tuple[str, ...] = ()
    flood: str | None = None


def drift(model: str, oldest: Sequence[Judged], newest: Sequence[Judged]) -> Drift:
    """Compare. Both are of one network; ``oldest`` holds :data:`REFERENCE` studies at most, ``newest`` what came after them,
    the last of all at its end."""
    before, after = _scores(oldest), _scores(newest)[-RECENT:]
    enough = len(before) >= REFERENCE_AT_LEAST and len(after) >= RECENT
    shift = psi(before, after) if enough else None
    chance = smirnov(before, after) if enough else None
    findings = []
    if shift is not None and chance is not None and shift >= PSI_AT_LEAST and chance < UNLIKELY:
        findings.append(
            f"scores have changed: of the last {len(after)} studies {_share(newest[-RECENT:])} are flagged, "
            f"{_share(oldest)} when this network began here (PSI {shift:.2f})"
        )
    findings += _senders(oldest, newest)
    return Drift(
        model=model,
        reference=len(before),
        recent=len(after),
        psi=shift,
        p_value=chance,
        findings=tuple(findings),
        flood=_flood(oldest, newest),
    )


def psi(reference: Sequence[float], recent: Sequence[float]) -> float:
    """Population Stability Index over tenths of the reference; half a study stands in an empty bin."""
    ranked = sorted(reference)
    edges = sorted({ranked[len(ranked) * place // BINS] for place in range(1, BINS)})
    counts = [Counter(bisect_right(edges, value) for value in values) for values in (reference, recent)]
    shares = [
        [max(count[place], 0.5) / len(values) for place in range(len(edges) + 1)]
        for count, values in zip(counts, (reference, recent), strict=True)
    ]
    return fsum((new - old) * log(new / old) for old, new in zip(*shares, strict=True))


def smirnov(reference: Sequence[float], recent: Sequence[float]) -> float:
    """The probability of so large a distance between two samples of one distribution: two-sided, asymptotic."""
    ours, theirs = sorted(reference), sorted(recent)
    distance = max(
        abs(bisect_right(ours, value) / len(ours) - bisect_right(theirs, value) / len(theirs)) for value in {*ours, *theirs}
    )
    scaled = distance * (len(ours) * len(theirs) / (len(ours) + len(theirs))) ** 0.5
    if scaled < 0.3:  # the series does not converge, and the answer is 1
        return 1.0
    return min(1.0, max(0.0, 2 * fsum((-1) ** (step - 1) * exp(-2 * (step * scaled) ** 2) for step in range(1, 101))))


def fisher(reference: tuple[int, int], recent: tuple[int, int]) -> float:
    """The probability that of so many recent ones at least so many are marked by chance, or, where fewer are than before, at
    most; doubled, as both ways are looked at. Each is (marked, of how many)."""
    (old, old_of), (new, new_of) = reference, recent
    marked, total = old + new, old_of + new_of
    more = new * old_of >= old * new_of
    ways = range(new, min(marked, new_of) + 1) if more else range(max(0, marked - old_of), new + 1)
    whole = _choose(total, new_of)
    return min(1.0, 2 * fsum(exp(_choose(marked, k) + _choose(total - marked, new_of - k) - whole) for k in ways))


def _choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _scores(studies: Iterable[Judged]) -> list[float]:
    return [one.probability for one in studies if one.probability is not None]


def _share(studies: Iterable[Judged]) -> str:
    flags = [one.flagged for one in studies if one.assessed]
    return f"{100 * sum(flags) / max(1, len(flags)):.0f} %"


_SHARES: tuple[tuple[str, Callable[[Judged], bool], Callable[[Judged], bool]], ...] = (
    ("flagged", lambda one: one.assessed, lambda one: one.flagged),
    ("not assessed", lambda one: one.level is not Level.OUT_OF_SCOPE, lambda one: one.level is Level.NOT_ASSESSED),
)
"""What is counted of a sender: in words, of which studies, which of these."""


def _senders(oldest: Sequence[Judged], newest: Sequence[Judged]) -> Iterator[str]:
    senders = sorted({one.sender for one in newest})
    for sender in senders:
        before, after = ([one for one in some if one.sender == sender] for some in (oldest, newest))
        for words, counted, marked in _SHARES:
            old = [marked(one) for one in before if counted(one)]
            new = [marked(one) for one in after if counted(one)][-SENDER_RECENT:]
            if len(old) < SENDER_REFERENCE_AT_LEAST or len(new) < SENDER_RECENT:
                continue
            was, now = sum(old) / len(old), sum(new) / len(new)
            chance = fisher((sum(old), len(old)), (sum(new), len(new)))
            if abs(now - was) >= MARGIN and chance < UNLIKELY / len(senders):
                yield f"{sender}: {100 * now:.0f} % of its last {len(new)} studies are {words}, {100 * was:.0f} % before"


def _flood(oldest: Sequence[Judged], newest: Sequence[Judged]) -> str | None:
    last = [one for one in newest if one.assessed][-FLOOD:]
    flagged = sum(one.flagged for one in last)
    if len(last) < FLOOD or flagged < FLOODED * FLOOD:
        return None
    before = [one for one in oldest if one.assessed]
    usual = (sum(one.flagged for one in before), len(before))
    if len(before) >= SENDER_REFERENCE_AT_LEAST and fisher(usual, (flagged, len(last))) >= UNLIKELY:
        return None
    return f"{flagged} of the last {len(last)} assessed studies are flagged"
