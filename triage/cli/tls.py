"""``triage tls``: a small authority for DICOM TLS; certificates for this service and for modalities."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triage.cli.common import AsJson, Config, Home, operator, print_json, settings
from triage.domain.errors import ConfigError, TriageError
from triage.domain.identifiers import is_ae_title

if TYPE_CHECKING:
    from triage.bootstrap import Site
    from triage.pki.facts import CertificateFacts
    from triage.pki.folder import AuthorityFolder, Pair

LOCAL_HOSTS = ("localhost", "127.0.0.1")
LONGEST_DAYS = 3650

AeTitle = Annotated[str, typer.Argument(help="The AE title.", metavar="AET")]
Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", metavar="NAME", help="A name or IP address it is reached by; may be given several times."),
]
Days = Annotated[int | None, typer.Option("--days", min=1, max=LONGEST_DAYS, help="How long it is to hold (default: 825).")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="DICOM TLS: init, issue, renew, revoke, list certificates.")
    for name, command in (("init", init), ("issue", issue), ("renew", renew), ("revoke", revoke), ("list", list_certificates)):
        group.command(name)(command)
    app.add_typer(group, name="tls")


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a command works with."""

    site: "Site"
    folder: "AuthorityFolder"
    now: datetime

    def note(self, facts: "CertificateFacts", what: str) -> None:
        """Audit, before the files are written: rather a record without its certificate than the reverse."""
        from triage.clock import utc_now
        from triage.services.audit import certificate_changed

        details = {"serial": f"{facts.serial:x}", "until": facts.not_after.isoformat()}
        certificate_changed(self.site.database, operator(), facts.common_name, what, utc_now, details)


def init(hosts: Hosts = None, days: Days = None, home: Home = None, config: Config = None) -> None:
    """Make an authority and this service's certificate under HOME/tls; what is there is never overwritten."""
    with _at_work(home, config, create=True) as desk:
        if desk.folder.is_made():
            raise ConfigError(f"{desk.folder.path} holds an authority, or part of one; to begin anew move that folder away")
        authority = desk.folder.begin(desk.now)
        server = _own(desk, hosts, days, authority)
        desk.note(authority.facts, "authority made")
        desk.note(server.facts, "issued")
        desk.folder.found(authority, server, desk.now)
        typer.echo(f"made {authority.facts.common_name}, until {authority.facts.not_after:%Y-%m-%d}")
        typer.echo(f"made the certificate of {server.facts.common_name}, until {server.facts.not_after:%Y-%m-%d}")
        typer.echo(f"{desk.folder.path / desk.folder.CA_KEY} can issue for anybody: keep a copy where nobody else gets at it")
        typer.echo(
            f"Now write into {desk.site.settings.home / 'triage.toml'}, and start the service again:\n\n{_section(desk)}"
        )


def issue(
    ae_title: AeTitle,
    days: Days = None,
    hosts: Hosts = None,
    csr: Annotated[Path | None, typer.Option("--csr", help="Certificate request of a modality that keeps its own key.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to lay it into (default: HOME/tls/handover/AET).")
    ] = None,
    home: Home = None,
    config: Config = None,
) -> None:
    """A certificate for one modality, and a folder with what it needs. Former ones stay valid until they end or are revoked."""
    from triage.pki.folder import LEAF_DAYS
    from triage.pki.issue import requested_key

    title = _checked(ae_title)
    key = requested_key(csr.read_bytes()) if csr else None
    with _at_work(home, config) as desk:
        issuer = desk.folder.issuer()
        made = desk.folder.pair(issuer, title, desk.now, days=days or LEAF_DAYS, hosts=hosts or (), public_key=key)
        to = out or desk.folder.handover(title)
        desk.folder.check_free(to)
        desk.note(made.facts, "issued")
        desk.folder.hand_over(made, to)
        desk.folder.revoke(issuer, (), desk.now)
        typer.echo(f"made the certificate of {title}, until {made.facts.not_after:%Y-%m-%d}: {to}")
        if made.key is not None:
            typer.echo("The folder holds its private key: carry it over, then remove the folder.")


def renew(hosts: Hosts = None, days: Days = None, home: Home = None, config: Config = None) -> None:
    """This service's certificate and the revocation list anew; the listener takes them up without a restart."""
    with _at_work(home, config) as desk:
        issuer = desk.folder.issuer()
        server = _own(desk, hosts, days)
        desk.note(server.facts, "renewed")
        desk.folder.revoke(issuer, (), desk.now)
        desk.folder.keep_server(server)
        typer.echo(f"made the certificate of {server.facts.common_name}, until {server.facts.not_after:%Y-%m-%d}")


def revoke(
    ae_title: AeTitle,
    serial: Annotated[str | None, typer.Option("--serial", help="Only this one (see: triage tls list).")] = None,
    home: Home = None,
    config: Config = None,
) -> None:
    """Revoke the certificates of an AE title; its next connection is refused."""
    title = _checked(ae_title)
    with _at_work(home, config) as desk:
        gone = {one.serial for one in desk.folder.revoked().revoked}
        found = [one for one in desk.folder.issued() if one.common_name == title and one.serial not in gone]
        found = [one for one in found if serial is None or f"{one.serial:x}" == serial.lower()]
        if not found:
            raise TriageError(f"{title} has no such certificate that is not revoked already; see: triage tls list")
        desk.folder.revoke(desk.folder.issuer(), [one.serial for one in found], desk.now)
        for one in found:
            desk.note(one, "revoked")
            typer.echo(f"revoked the certificate of {title} with serial {one.serial:x}")
        _warn_unless_looked_at(desk)


def list_certificates(as_json: AsJson = False, home: Home = None, config: Config = None) -> None:
    """Every certificate that was issued here: whose, until when, whether it is revoked."""
    with _at_work(home, config) as desk:
        rows = _rows(desk)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['ae_title']:16} {row['state']:13} until {row['not_after'][:10]}  serial {row['serial']}")
        typer.echo(f"{'':16} sha256 {row['fingerprint']}")
    typer.echo(f"{len(rows)} issued")


@contextmanager
def _at_work(home: Path | None, config: Path | None, *, create: bool = False) -> Iterator[_Desk]:
    from triage.bootstrap import open_site
    from triage.clock import utc_now
    from triage.pki.folder import AuthorityFolder

    # settings that listen beyond loopback are refused before there are certificates: it is these commands that make them
    site = open_site(settings(home, config, {"dimse": {"host": "127.0.0.1"}}), create=create)
    folder = AuthorityFolder(site.settings.home / "tls")
    try:
        with folder.locked():
            yield _Desk(site, folder, utc_now())
    finally:
        site.database.close()


def _own(desk: _Desk, hosts: list[str] | None, days: int | None, authority: "Pair | None" = None) -> "Pair":
    import socket

    from triage.pki.folder import LEAF_DAYS
    from triage.pki.issue import Issuer

    issuer = Issuer.load(authority.certificate, authority.key or b"") if authority else desk.folder.issuer()
    names = dict.fromkeys([*(hosts or ()), socket.gethostname(), *LOCAL_HOSTS])
    return desk.folder.pair(issuer, desk.site.settings.dimse.ae_title.strip(), desk.now, days=days or LEAF_DAYS, hosts=[*names])


def _rows(desk: _Desk) -> list[dict[str, Any]]:
    gone = {one.serial: one.at for one in desk.folder.revoked().revoked}
    return [
        {
            "ae_title": one.common_name,
            "state": "revoked" if one.serial in gone else one.when(desk.now),
            "serial": f"{one.serial:x}",
            "fingerprint": one.fingerprint,
            "not_before": one.not_before.isoformat(),
            "not_after": one.not_after.isoformat(),
            "revoked_at": gone[one.serial].isoformat() if one.serial in gone else None,
        }
        for one in desk.folder.issued()
    ]


def _section(desk: _Desk) -> str:
    folder = desk.folder
    files = (("certificate", folder.SERVER), ("key", folder.SERVER_KEY), ("ca", folder.CA), ("crl", folder.CRL))
    return "\n".join(["[dimse.tls]", *(f'{name} = "tls/{file}"' for name, file in files)])


def _warn_unless_looked_at(desk: _Desk) -> None:
    files = desk.site.settings.tls_files
    if files is None or files.crl is None or files.crl.resolve() != (desk.folder.path / desk.folder.CRL).resolve():
        typer.echo(f'triage: the listener does not look at this list; set dimse.tls.crl = "tls/{desk.folder.CRL}"', err=True)


def _checked(ae_title: str) -> str:
    if not is_ae_title(ae_title):
        raise typer.BadParameter("not an AE title (1 to 16 characters, no backslash)")
    return ae_title.strip()
