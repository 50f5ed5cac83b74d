"""``python -m triage.sandbox``: the fork server; asked on its standard input, by :mod:`triage.sandbox.child` only."""

from triage.sandbox.preload import preload
from triage.sandbox.server import serve
from triage.sandbox.tasks import TASKS

if __name__ == "__main__":
    preload()
    serve(TASKS)
