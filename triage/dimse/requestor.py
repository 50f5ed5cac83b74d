"""An association that we ask for, by pynetdicom: what has to be put right there so that no response is lost."""

import time

from pynetdicom.association import Association

PAUSED_WITHIN = 0.05


def steady(association: Association) -> Association:
    """Call it before each request: pause the library's reactor for certain.

    pynetdicom 3.0.4 pauses it, too, but looks at a flag that may still stand from before: then the reactor takes the response
    off the queue and drops it, and the request waits for its time-out (1.5 % of the echoes that follow a C-STORE at once, on a
    busy machine). Here the flag must be set once more after the pause was asked for; a reactor that does not set it
    within ``PAUSED_WITHIN`` stands at the pause already.
    """
    association._reactor_checkpoint.clear()
    association._is_paused = False
    deadline = time.monotonic() + PAUSED_WITHIN
    while not association._is_paused and time.monotonic() < deadline:
        time.sleep(0.0002)
    association._is_paused = True
    return association
