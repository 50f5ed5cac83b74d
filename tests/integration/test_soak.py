"""Films at a steady rate, junk among them, a process killed every minute: nothing is lost, and nothing grows."""

from tests.integration.conftest import Serve
from tests.size import size
from tests.soak import ROLES, report, soak

SECONDS = size(40.0, 3600.0)
MORE_MEGABYTES, MORE_OTHERS = 60.0, 3.0
"""What a role may grow by in an hour; shorter, a slope says little, and is only printed."""
LOG_AT_MOST = 64.0
FILES_AT_MOST, THREADS_AT_MOST = 200, 150


def test_nothing_is_lost_and_nothing_grows(serve: Serve) -> None:
    service = serve(network=True)
    result = soak(service, SECONDS)
    print("\n" + report(result, ROLES, SECONDS))
    assert result.good, (result.found.counted(), result.unsent, result.gaps, result.wrong)
    assert result.kills
    assert max((megabytes for _, megabytes in result.log_bytes), default=0.0) <= LOG_AT_MOST
    for role in ROLES:
        highest = result.highest(role)
        assert highest["threads"] <= THREADS_AT_MOST
        assert highest["files"] <= FILES_AT_MOST
        if SECONDS >= 3600 and (slopes := result.slopes(role)):
            assert slopes["resident MB"] <= MORE_MEGABYTES
            assert max(slopes["threads"], slopes["files"]) <= MORE_OTHERS
    service.stop()
