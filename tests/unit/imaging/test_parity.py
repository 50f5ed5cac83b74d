"""What we show is what DCMTK shows: within one of 256 grey levels at every pixel (``-s`` prints the matrix)."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.imaging.conftest import file_object
from tests.unit.imaging.parity import Case, cases, program, shown_by_dcmtk, shown_by_us

pytestmark = pytest.mark.peer


@dataclass(frozen=True, slots=True)
class Row:
    """A case that DCMTK has rendered."""

    case: Case
    film: bytes
    wanted: NDArray[np.uint8]

    def differences(self) -> NDArray[np.int64]:
        """Grey levels between the two, pixel by pixel, where they are compared."""
        difference = np.abs(shown_by_us(self.film).astype(np.int64) - self.wanted)
        return difference if self.case.compared is None else difference[self.case.compared]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    if program("") is None:
        pytest.skip("dcmj2pnm (DCMTK) is not installed")
    path = tmp_path_factory.mktemp("parity") / "film.dcm"
    rows = []
    for case in cases():
        shown = case.twin or case.film
        path.write_bytes(file_object(shown))
        wanted = shown_by_dcmtk(path, str(shown.file_meta.TransferSyntaxUID), case.options)
        rows.append(Row(case, file_object(case.film), wanted))
    return rows


def test_the_matrix(matrix: list[Row]) -> None:
    worst = []
    for row in matrix:
        difference = row.differences()
        print(f"{row.case.name:55} {difference.max():3} {(difference > 0).mean():8.2%}  {row.case.why}")
        if difference.max() > 1:
            worst.append((row.case.name, int(difference.max())))
    assert not worst
    assert len(matrix) >= 60
