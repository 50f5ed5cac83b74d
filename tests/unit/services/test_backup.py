"""Backing a site up and restoring it: what is damaged is named, what was broken off is no backup."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import films
from tests.unit.database.stores import sql_database
from tests.unit.services.planted import archive_of
from tests.unit.services.world import World
from triage.archive.copies import FILMS, MANIFEST, Copies
from triage.archive.files import FileArchive
from triage.bootstrap import UNFINISHED, Site, open_site
from triage.bootstrap.backup import back_up, restore
from triage.config import Settings
from triage.domain.errors import BackupError, ConfigError, DataSetMismatch, TriageError
from triage.domain.instance import Instance


def film(number: int, **changes: Any) -> bytes:
    return films.film(f"1.2.{number}", f"1.2.{number}.1", patient_id=f"P{number}", **changes)


def stored(world: World, number: int) -> Instance:
    instance = world.store(film(number))
    assert instance is not None
    return instance


def ignore(done: int, total: int) -> None:
    """Nobody watches."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    home = tmp_path / "home"
    home.mkdir()
    return World(FileArchive(home / "instances", 0), sql_database(home))


@pytest.fixture
def site(world: World, tmp_path: Path) -> Site:
    return Site(Settings(home=tmp_path / "home"), world.database, archive_of(world))  # type: ignore[arg-type]


def elsewhere(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "elsewhere")


def verified(settings: Settings) -> list[object]:
    from triage.services.verify import verify

    opened = open_site(settings)
    try:
        return list(verify(opened.archive, opened.database).gaps)
    finally:
        opened.database.close()


def test_films_and_what_was_set_aside_come_back(world: World, site: Site, tmp_path: Path) -> None:
    kept = [stored(world, number) for number in range(3)]
    with pytest.raises(DataSetMismatch):
        world.store(film(0, bright=0.5))
    done = back_up(site, tmp_path / "b", 7, ignore)
    assert (done.films, done.set_aside, done.copied, done.ok) == (3, 1, 4, True)
    restore(elsewhere(tmp_path), tmp_path / "b", ignore)
    assert verified(elsewhere(tmp_path)) == []
    again = FileArchive(tmp_path / "elsewhere" / "instances", 0)
    assert set(again.digests()) == {one.digest for one in kept}
    assert len(set(again.digests_aside())) == 1


def test_a_film_is_copied_once_and_goes_with_the_last_backup_that_needs_it(world: World, site: Site, tmp_path: Path) -> None:
    world.store(film(1))
    first = back_up(site, tmp_path / "b", 2, ignore)
    world.store(film(2))
    second = back_up(site, tmp_path / "b", 2, ignore)
    third = back_up(site, tmp_path / "b", 2, ignore)
    assert (first.copied, second.copied, third.copied) == (1, 1, 0)
    assert third.dropped == [first.name]
    copies = Copies(tmp_path / "b")
    assert [path.name for path in copies.generations()] == [second.name, third.name]
    assert len(list(copies.films.glob("*/*.dcm"))) == 2
    (tmp_path / "b" / third.name / FILMS).write_text("")  # as if the last one needed none
    copies.drop_before(1)
    assert not list(copies.films.glob("*/*.dcm"))


def test_a_damaged_and_a_missing_film_are_named_and_the_others_are_in_it(world: World, site: Site, tmp_path: Path) -> None:
    good, damaged, missing = (stored(world, number).digest for number in range(3))
    path = archive_of(world).path(damaged)
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    archive_of(world).path(missing).unlink()
    done = back_up(site, tmp_path / "b", 7, ignore)
    assert (done.damaged, done.missing, done.ok) == ([damaged], [missing], False)
    assert restore(elsewhere(tmp_path), tmp_path / "b", ignore)["damaged"] == [damaged]
    assert {gap.what for gap in verified(elsewhere(tmp_path))} == {"indexed_not_on_disk"}  # type: ignore[attr-defined]
    assert FileArchive(tmp_path / "elsewhere" / "instances", 0).holds(good)


def test_without_its_manifest_a_folder_is_no_backup(world: World, site: Site, tmp_path: Path) -> None:
    world.store(film(1))
    first = back_up(site, tmp_path / "b", 7, ignore)
    world.store(film(2))
    second = back_up(site, tmp_path / "b", 7, ignore)
    (tmp_path / "b" / second.name / MANIFEST).unlink()
    assert restore(elsewhere(tmp_path), tmp_path / "b", ignore)["films"] == 1
    with pytest.raises(BackupError, match="no whole backup"):
        restore(Settings(home=tmp_path / "other"), tmp_path / "b" / second.name, ignore)
    assert back_up(site, tmp_path / "b", 7, ignore).dropped == [second.name]
    assert (tmp_path / "b" / first.name).is_dir()


@pytest.mark.parametrize("name", ["triage.db", FILMS])
def test_a_changed_file_is_noticed_before_anything_is_restored(name: str, world: World, site: Site, tmp_path: Path) -> None:
    world.store(film(1))
    done = back_up(site, tmp_path / "b", 7, ignore)
    with (tmp_path / "b" / done.name / name).open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(BackupError, match=f"{name} is missing or damaged"):
        restore(elsewhere(tmp_path), tmp_path / "b", ignore)
    assert not (tmp_path / "elsewhere").exists()


def test_a_damaged_film_of_the_backup_ends_the_restore_and_nothing_starts_on_it(
    world: World, site: Site, tmp_path: Path
) -> None:
    digest = stored(world, 1).digest
    back_up(site, tmp_path / "b", 7, ignore)
    film = Copies(tmp_path / "b").film(digest)
    whole = film.read_bytes()
    film.write_bytes(whole[:-1])
    with pytest.raises(BackupError, match="damaged in the backup"):
        restore(elsewhere(tmp_path), tmp_path / "b", ignore)
    assert (tmp_path / "elsewhere" / UNFINISHED).exists()
    with pytest.raises(ConfigError, match="broken off"):
        open_site(elsewhere(tmp_path))
    film.write_bytes(whole)
    restore(elsewhere(tmp_path), tmp_path / "b", ignore)  # run again, it goes on
    assert verified(elsewhere(tmp_path)) == []


def test_a_home_that_is_not_empty_stays_as_it_is(world: World, site: Site, tmp_path: Path) -> None:
    world.store(film(1))
    back_up(site, tmp_path / "b", 7, ignore)
    with pytest.raises(ConfigError, match="not empty"):
        restore(site.settings, tmp_path / "b", ignore)


def test_a_backup_of_a_later_version_is_left_alone(world: World, site: Site, tmp_path: Path) -> None:
    done = back_up(site, tmp_path / "b", 7, ignore)
    manifest = tmp_path / "b" / done.name / MANIFEST
    document = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps(document | {"revision": "9999_later"}))
    with pytest.raises(ConfigError, match="install that version"):
        restore(elsewhere(tmp_path), tmp_path / "b", ignore)


def test_settings_models_and_the_audits_anchor_go_along_and_keys_do_not(world: World, site: Site, tmp_path: Path) -> None:
    home = site.settings.home
    for name in ("triage.toml", "audit.head", "models/active.json", "tls/server.key"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(f"of {name}")
    back_up(site, tmp_path / "b", 7, ignore)
    restore(elsewhere(tmp_path), tmp_path / "b", ignore)
    there = tmp_path / "elsewhere"
    assert (there / "triage.toml").read_text() == "of triage.toml"
    assert (there / "triage.toml").stat().st_mode & 0o077 == 0
    assert (there / "models/active.json").read_text() == "of models/active.json"
    assert not (there / "tls").exists()


def test_a_full_disk_leaves_the_backups_before_it(world: World, site: Site, tmp_path: Path) -> None:
    world.store(film(1))
    first = back_up(site, tmp_path / "b", 7, ignore)
    (tmp_path / "b" / "films").chmod(0o700)
    world.store(film(2))

    def full(done: int, total: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(TriageError, match="No space left"):
        back_up(site, tmp_path / "b", 7, full)
    assert [path.name for path in Copies(tmp_path / "b").generations()] == [first.name]
    assert restore(elsewhere(tmp_path), tmp_path / "b", ignore)["films"] == 1
