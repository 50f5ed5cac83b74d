"""What we show is what DCMTK shows: within one of 256 grey levels at every pixel (``-s`` prints the matrix)."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.imaging.broken import BREAKS, Break
from tests.unit.imaging.conftest import file_object
from tests.unit.imaging.parity import FAMILIES, Case, Family, program, shown_by_dcmtk, shown_by_us
from triage.domain.errors import PixelError

pytestmark = pytest.mark.peer


@dataclass(frozen=True, slots=True)
class Row:
    """A case that DCMTK has rendered."""

    case: Case
    film: bytes
    wanted: NDArray[np.uint8]

    def holds(self) -> bool:
        """Whether the two are one level apart at most; a film that is not shown at all is not."""
        try:
            return bool(self.differences().max() <= 1)
        except PixelError:
            return False

    def differences(self) -> NDArray[np.int64]:
        """Grey levels between the two, pixel by pixel, where they are compared."""
        difference = np.abs(shown_by_us(self.film).astype(np.int64) - self.wanted)
        return difference if self.case.compared is None else difference[self.case.compared]


Matrix = dict[Family, list[Row]]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    if program("") is None:
        pytest.skip("dcmj2pnm (DCMTK) is not installed")
    path = tmp_path_factory.mktemp("parity") / "film.dcm"

    def rendered(case: Case) -> Row:
        shown = case.twin or case.film
        path.write_bytes(file_object(shown))
        wanted = shown_by_dcmtk(path, str(shown.file_meta.TransferSyntaxUID), case.options)
        return Row(case, file_object(case.film), wanted)

    return {family: [rendered(case) for case in family()] for family in FAMILIES}


def test_the_matrix(matrix: Matrix) -> None:
    worst = []
    for row in itertools.chain.from_iterable(matrix.values()):
        difference = row.differences()
        print(f"{row.case.name:66} {difference.max():3} {(difference > 0).mean():8.2%}  {row.case.why}")
        if difference.max() > 1:
            worst.append((row.case.name, int(difference.max())))
    assert not worst
    assert sum(map(len, matrix.values())) >= 60


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.__name__)
def test_the_matrix_notices(matrix: Matrix, monkeypatch: pytest.MonkeyPatch, broken: Break) -> None:
    rows = matrix[BREAKS[broken]]
    broken(monkeypatch)
    noticed = [row.case.name for row in rows if not row.holds()]
    print(f"{broken.__name__}: {len(noticed)} of {len(rows)} films, such as {noticed[:2]}")
    assert noticed
