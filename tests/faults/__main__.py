"""``python -m tests.faults [SECTION [OPTION…]]``: break it on purpose and count. No section: all of them, one after another.

Each section prints Markdown and returns 0 only if everything was as promised. ``docs/reliability.md`` has the figures.
"""

import importlib
import sys

SECTIONS = {
    "films": "tests.faults.damaged_films",
    "pdus": "tests.faults.pdus",
    "peers": "tests.faults.peers",
    "uids": "tests.faults.uids",
    "sweep": "tests.faults.sweep",
    "power": "tests.faults.power",
    "assessing": "tests.faults.assessing",
    "sabotaged": "tests.faults.sabotaged",
    "room": "tests.faults.room",
    "locked": "tests.faults.locked",
    "same": "tests.faults.same",
    "aborts": "tests.faults.aborts",
    "day": "tests.faults.day",
    "reconcile": "tests.faults.reconcile",
    "deliveries": "tests.faults.deliveries",
    "upgrading": "tests.faults.upgrading",
    "retiring": "tests.faults.retiring",
    "server": "tests.faults.server",
}
"""Name → module with ``run(arguments) -> int``."""


def main() -> int:
    """Run the sections that were asked for; 1 if any found something wrong."""
    name, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if name and name not in SECTIONS:
        sys.stderr.write(f"no such section: {name}; there are {', '.join(SECTIONS)}\n")
        return 2
    wrong = []
    for section in [name] if name else SECTIONS:
        print(f"\n## {section}\n", flush=True)
        if importlib.import_module(SECTIONS[section]).run(arguments):
            wrong.append(section)
    print(f"\nnot as promised: {', '.join(wrong) or 'nothing'}", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
