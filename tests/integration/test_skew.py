"""No skew: for films of the locked test split the service says what the evaluation of the training said.

All of them with ``make soak``, a quarter otherwise.
"""

import csv
import io
import json
from hashlib import sha256
from pathlib import Path

import pytest
from pydicom.filewriter import dcmwrite

from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.service import until
from tests.size import size
from triage.inference.registry import DEFAULT, PACKAGED

NIH = Path(__file__).resolve().parents[3] / "shared" / "data" / "nih"
AGREE_WITHIN = 1e-5
GATE = {"not_upright", "polarity_conflict", "cropped", "doubtful_image", "not_a_chest_film"}
"""Reasons of the image gate: it may keep a film back that is no worse than others."""


def split_test_films() -> dict[str, tuple[str, bytes]]:
    """The test split as the importer writes it: digest → (Study Instance UID, DICOM file)."""
    from training.importers.read import picture

    films = {}
    with (NIH / "labels.csv").open(newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if row["split"] == "test" and sha256(row["file"].encode()).digest()[0] < size(32, 256):
                path, key = NIH / "images_512" / row["file"], f"nih/{row['file']}"
                film = picture(path, key, row["view"], row["sex"], int(row["age"]))
                encoded = io.BytesIO()
                dcmwrite(encoded, film, enforce_file_format=True)
                films[sha256(encoded.getvalue()).hexdigest()] = (str(film.StudyInstanceUID), encoded.getvalue())
    return films


@pytest.mark.training
def test_service_and_evaluation_agree_on_every_test_film(serve: Serve) -> None:
    if not NIH.is_dir():
        pytest.skip("the folder ../shared/data/nih of NIH's films is not here")
    pytest.importorskip("sklearn")
    metrics = json.loads((PACKAGED / DEFAULT / "metrics.json").read_text(encoding="utf-8"))
    evaluated = {film["film"]: film["probability"] for film in metrics["test_films"]}
    films = split_test_films()
    assert set(films) <= set(evaluated)

    service = serve(network=True, settings={"policy__min_age_years": "0"})  # children are in the split: their pixels count too
    with modality(service.dimse_port) as sender:
        assert {sender.store(content) for _, content in films.values()} == {0x0000}
    until(lambda: not service.rows("SELECT 1 FROM job WHERE state <> 'done'"), 120, "every film assessed")
    served = {study["study_instance_uid"]: study for study in service.worklist()}
    rows = {digest: served[study] for digest, (study, _) in films.items()}
    scored = {digest: row["probability"] for digest, row in rows.items() if row["probability"] is not None}
    differences = [abs(probability - evaluated[digest]) for digest, probability in scored.items()]
    kept_back = [row["reason"] for row in rows.values() if row["probability"] is None]
    print(f"{len(scored)} films, largest difference of the probability {max(differences):.1e}; kept back: {kept_back}")
    assert max(differences) <= AGREE_WITHIN
    accepted = next(kind["right"] for kind in metrics["image_gate"] if kind["kind"] == "as it is")
    assert len(kept_back) <= accepted["n"] - round(accepted["value"] * accepted["n"]), "no more than the evaluation says"
    assert set(kept_back) <= GATE
    service.stop()
