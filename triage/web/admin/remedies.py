"""What an administrator does about each check of ``/readyz``, in a sentence, and where the runbook has a page on it."""

from dataclasses import dataclass

from triage.web import health


@dataclass(frozen=True, slots=True)
class Remedy:
    """``page``: the heading of its section in ``docs/runbook.md``."""

    page: str
    todo: str


REMEDIES: dict[health.Check, Remedy] = {
    health.database_answers: Remedy(
        "The database does not answer",
        "Is the disk full, or another program busy with the file? See the log; run: triage check",
    ),
    health.database_fits: Remedy(
        "The database is of another version",
        "Stop every role, back up, run: triage migrate; or start the version that the database belongs to",
    ),
    health.database_takes: Remedy(
        "The database takes nothing", "Is its disk full, does another program hold a lock on it? See the log; run: triage check"
    ),
    health.roles_alive: Remedy(
        "A role is dead or silent",
        "Start the service again (triage serve); the role's last lines in the log say why it stopped",
    ),
    health.roles_untroubled: Remedy(
        "A role is in trouble", "Do what the sentence says; the role goes on by itself as soon as it can"
    ),
    health.room_left: Remedy(
        "No room for films", "Free disk space or give it more; films are taken again at once, senders repeat what was refused"
    ),
    health.queue_moves: Remedy(
        "The queue is stuck",
        "Is the worker running, has it a usable model? Otherwise give it more processes (worker.processes)",
    ),
    health.results_go_out: Remedy(
        "Results do not go out", "Does the destination answer, does the publisher run? See Administration → Deliveries"
    ),
    health.processes_silent: Remedy(
        "One of several processes is silent",
        "Is that machine on, is its clock right? One that was taken away is forgotten after a day",
    ),
    health.processes_troubled: Remedy(
        "One of several processes is in trouble", "Do what the sentence says, on that machine; the others do its work meanwhile"
    ),
}
