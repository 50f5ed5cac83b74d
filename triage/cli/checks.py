"""What ``triage check`` looks at: a table of questions, each answered with a finding and a remedy."""

import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta

from triage.archive.objects import ObjectArchive
from triage.bootstrap import open_database
from triage.bootstrap.accounts import provider_of
from triage.bootstrap.archive import archive_of
from triage.cli.checks_commitment import commitments
from triage.cli.checks_hl7 import hl7_orders
from triage.cli.checks_results import destinations
from triage.cli.checks_roles import processes
from triage.cli.checks_tls import dicom_tls
from triage.cli.finding import FAIL, OK, WARN, Finding
from triage.clock import utc_now
from triage.config import Settings
from triage.database import schema
from triage.domain.errors import ArchiveAway, FilmsUnavailable, PixelError, TriageError
from triage.domain.external import ProviderSilent
from triage.domain.worklist import span
from triage.scheduler import SCRUB_EVERY
from triage.services.scrub import keeps_up

SANDBOX_REMEDY = (
    "install the locked libraries again (requirements.lock); is there memory for one more process, and may the service "
    "start one? Its last lines stand on stderr"
)


def home(settings: Settings) -> Iterator[Finding]:
    """Nobody else can read the films; the folder can be written."""
    path = settings.home
    if not path.is_dir():
        yield Finding(WARN, "home", f"{path} does not exist yet", "it is made by: triage serve")
    elif not os.access(path, os.W_OK | os.X_OK):
        yield Finding(FAIL, "home", f"{path} cannot be written", "run as its owner, or: chown -R USER HOME")
    elif stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding(WARN, "home", f"{path} can be read by others", f"chmod -R go= {path}")
    else:
        yield Finding(OK, "home", str(path))


def disk(settings: Settings) -> Iterator[Finding]:
    """There is room above the floor."""
    folder = settings.storage.folder or settings.home
    folder = folder if folder.is_dir() else folder.parent
    if not folder.is_dir():
        return
    above = shutil.disk_usage(folder).free - settings.storage.floor_bytes
    if above <= 0:
        yield Finding(FAIL, "disk", "below the floor: films are refused", "free some room, or lower storage.floor_bytes")
    else:
        mark = WARN if above < 10 * 2**30 else OK
        yield Finding(mark, "disk", f"{above / 2**30:.1f} GiB above the floor", "" if mark == OK else "a film has 2 to 30 MB")


def database(settings: Settings) -> Iterator[Finding]:
    """It opens with every pragma set, and has this version's schema."""
    if not settings.home.is_dir():
        return
    opened = open_database(settings)
    found, needed = schema.present(opened.engine), schema.newest()
    opened.close()
    if found == needed:
        yield Finding(OK, "database", f"schema {found}, journal WAL, synchronous FULL")
    elif found is None:
        yield Finding(OK, "database", "empty; made at the first start")
    else:
        yield Finding(FAIL, "database", f"schema {found}, needs {needed}", "back up, then: triage migrate")


def archive(settings: Settings) -> Iterator[Finding]:
    """Its folders can be made and synced, or its store answers, takes and gives back."""
    if settings.home.is_dir():
        opened = archive_of(settings)
        if isinstance(opened, ObjectArchive):
            yield _store(opened, settings.storage.archive)
        else:
            yield Finding(OK, "archive", f"{opened.root}: folders can be made and synced")


def _store(opened: ObjectArchive, url: str) -> Finding:
    try:
        opened.store.now()  # puts an object, asks for it and removes it
        begun = opened.is_begun()
    except ArchiveAway as error:
        return Finding(FAIL, "archive", f"{url}: {error}", "address, bucket, keys and their rights: see docs/storage.md")
    return Finding(OK, "archive", f"{url} takes objects" + ("" if begun else "; it becomes an archive at the first start"))


def model(settings: Settings) -> Iterator[Finding]:
    """The active bundle loads and passes its golden films."""
    from triage.inference.active import ActiveClassifier

    classifier = ActiveClassifier(settings.home / "models", settings.worker.threads)()
    yield Finding(OK, "model", f"{classifier.model.label}, golden films passed")
    if classifier.bundle.gate is None:
        yield Finding(
            WARN,
            "image gate",
            "the active bundle brings none: films are judged by their tags only",
            "turned, inverted or foreign pictures with a chest film's tags are scored; activate a bundle with an image gate",
        )
    else:
        yield Finding(OK, "image gate", "tells golden films from turned and inverted ones")


def sandbox(settings: Settings) -> Iterator[Finding]:
    """Films are opened in a child that can do nothing else: as far as this kernel knows how to bind it."""
    from triage.sandbox.films import SandboxFilms
    from triage.sandbox.limits import PROTECTIONS

    films = SandboxFilms()
    try:
        in_force = films.protections()
    except (FilmsUnavailable, PixelError) as error:
        yield Finding(FAIL, "sandbox", f"no study is assessed: {error}", SANDBOX_REMEDY)
        return
    finally:
        films.close()
    yield Finding(OK, "sandbox", f"films are opened apart, bound by {', '.join(in_force)}")
    for name, remedy in PROTECTIONS.items():
        if name not in in_force:
            yield Finding(WARN, "sandbox", f"the kernel or the container has no {name}; the rest holds", f"needs {remedy}")


def ports(settings: Settings) -> Iterator[Finding]:
    """The ports are free, or the service has them."""
    for name, host, port in (
        ("dimse", settings.dimse.host, settings.dimse.port),
        ("web", settings.web.host, settings.web.port),
    ):
        with socket.socket() as probe:
            taken = port != 0 and probe.connect_ex((host, port)) == 0
        words = "answers: the service, or something else, is running there" if taken else "is free"
        yield Finding(WARN if taken else OK, f"{name} port", f"{host}:{port} {words}")


def identity_provider(settings: Settings) -> Iterator[Finding]:
    """It answers, and describes itself as the issuer that the settings name."""
    provider = provider_of(settings)
    if provider is None:
        return
    try:
        provider.authorization_url("http://127.0.0.1/", state="check", nonce="check", verifier="check")
    except ProviderSilent as silent:
        remedy = "compare oidc.issuer with the issuer in its discovery document; is it reached from this machine?"
        yield Finding(FAIL, "oidc", silent.code, remedy)
    else:
        yield Finding(OK, "oidc", f"{provider.issuer} answers")


def peers(settings: Settings) -> Iterator[Finding]:
    """Who may send."""
    if settings.dimse.allowed_peers:
        yield Finding(OK, "peers", f"{len(settings.dimse.allowed_peers)} may send")
    elif settings.tls_files is not None:
        yield Finding(OK, "peers", "whoever has a certificate of dimse.tls.ca may send, by the AE titles it may use")
    else:
        yield Finding(WARN, "peers", "any AE title on this machine may send", "list them in dimse.allowed_peers (AET@ADDRESS)")


def backlog(settings: Settings) -> Iterator[Finding]:
    """The head start is longer than the backlog: else flagged studies no longer overtake the oldest unflagged ones."""
    if not settings.home.is_dir():
        return
    opened = open_database(settings)
    if schema.present(opened.engine) == schema.newest():
        with opened.read() as transaction:
            arrivals = sorted(study.arrived_at for study in transaction.worklist())
        if arrivals:
            age = utc_now() - arrivals[len(arrivals) // 20]
            head_starts = settings.policy.head_starts
            gained = head_starts.flagged - head_starts.not_flagged
            short = gained < age and gained > timedelta(0)
            yield Finding(
                WARN if short else OK,
                "head start",
                f"p95 age of the unread list {span(age)}, a flag gains {span(gained)}",
                "read the list down, or raise policy.head_start.flagged" if short else "",
            )
    opened.close()


def doubts(settings: Settings) -> Iterator[Finding]:
    """Whether a study waits whose films may not be one patient's, or not all of them."""
    if not settings.home.is_dir():
        return
    opened = open_database(settings)
    if schema.present(opened.engine) == schema.newest():
        with opened.read() as transaction:
            found = [study for study in transaction.worklist() if study.doubt is not None and study.doubt.reason is not None]
        if found:
            words = f"{len(found)} unread {'study' if len(found) == 1 else 'studies'} of which a film was set aside"
            remedy = (
                "triage verify names them; another patient's film: give it its own UIDs and send it again; the same film again:"
                " let one sender send it; then decide: triage quarantine release, or discard"
            )
            yield Finding(WARN, "set aside", words, remedy)
        else:
            yield Finding(OK, "set aside", "no unread study lacks a film that was refused")
    opened.close()


def films(settings: Settings) -> Iterator[Finding]:
    """No film is known to be damaged or gone, and the scrub comes round in time."""
    if not settings.home.is_dir():
        return
    opened, storage = open_database(settings), settings.storage
    if schema.present(opened.engine) == schema.newest():
        with opened.read() as transaction:
            upkeep = transaction.upkeep()
        if upkeep.faulty:
            words = f"{upkeep.faulty} of {upkeep.objects} in the archive are damaged or gone"
            yield Finding(FAIL, "films", words, "triage verify names them; send them again, or put them back from a backup")
        if not keeps_up(upkeep, storage.scrub_every, SCRUB_EVERY, storage.scrub_slice_bytes):
            words = f"reading all of them again takes longer than {span(storage.scrub_every)}"
            yield Finding(WARN, "scrub", words, "raise storage.scrub_slice_bytes or storage.scrub_every")
        elif not upkeep.faulty:
            again = f"{upkeep.objects - upkeep.unchecked} of {upkeep.objects} read again since they came"
            oldest = f", the longest unread for {span(utc_now() - upkeep.oldest_check)}" if upkeep.oldest_check else ""
            yield Finding(OK, "films", again + oldest)
    opened.close()


def fail_safe(settings: Settings) -> Iterator[Finding]:
    """With the network off the list is first come, first served."""
    starts = settings.policy.head_starts
    if starts.pending != starts.not_assessed:
        yield Finding(
            WARN,
            "fail-safe",
            "pending and not_assessed have different head starts: with the network off the list is not first come first served",
            "give policy.head_start.pending and .not_assessed one value",
        )
    if starts.flagged < starts.pending:
        yield Finding(
            WARN,
            "head start",
            "a study that is flagged moves down: flagged has less head start than pending",
            "raise policy.head_start.flagged to that of pending",
        )


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    home,
    disk,
    database,
    archive,
    model,
    sandbox,
    ports,
    identity_provider,
    peers,
    dicom_tls,
    hl7_orders,
    backlog,
    doubts,
    commitments,
    destinations,
    processes,
    films,
    fail_safe,
)


def run_checks(settings: Settings) -> list[Finding]:
    """Every finding; a check that cannot be made is a failure with its reason."""
    findings: list[Finding] = []
    for look in CHECKS:
        try:
            findings += look(settings)
        except (TriageError, OSError) as error:
            findings.append(Finding(FAIL, look.__name__, str(error)))
    return findings
