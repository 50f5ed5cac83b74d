"""What ``TRIAGE_TEST_DATABASE=postgresql`` leaves out, each with its reason: it is about SQLite itself."""

ONLY_SQLITE = {
    "test_durable_order.py::test_an_intake_that_cheats_is_caught[commit_not_synced]": (
        "it weakens a pragma of SQLite; PostgreSQL with synchronous_commit off is refused (unit/database/test_postgres.py)"
    ),
    "test_durable_order.py::test_an_intake_that_cheats_is_caught[nothing_of_the_row_synced]": (
        "it weakens a pragma of SQLite; PostgreSQL with fsync off is refused (unit/database/test_postgres.py)"
    ),
    "test_killed_moves.py::test_a_kill_leaves_nothing_that_the_next_start_does_not_mend[reconcile]": (
        "the step that is killed runs on a file of its own making"
    ),
    "test_killed_moves.py::test_a_kill_leaves_nothing_that_the_next_start_does_not_mend[release of a film that replaces]": (
        "the step that is killed runs on a file of its own making"
    ),
    "test_demo.py::test_every_sample_takes_its_stated_place": (
        "the demonstration has a SQLite home of its own, whatever the environment names"
    ),
}
"""Test of this folder → why."""
