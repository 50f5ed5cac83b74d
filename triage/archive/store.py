"""An object store as fsspec knows it: whole objects by key. Every answer has its time; what is not proved does not count."""

import re
import secrets
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from triage.archive.ranged import PIECE, ranged
from triage.domain.errors import ArchiveAway

TOLD_FOR = 60.0
"""Seconds for which an answer that did not come is told of: whoever sends films tries again within them."""
WRITTEN = ("LastModified", "last_modified", "mtime", "updated", "created")
"""Where the file systems of fsspec say when an object was written."""
NO_BUCKET = "there is no such bucket"
_CODE = re.compile(r"[A-Za-z0-9_]{1,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What an object is known by: of the bytes as they came in, before any disk had them. ``sha256``: its digest, ``md5``: in
    hexadecimal, what most stores call an object's ETag."""

    size: int
    sha256: bytes
    md5: str


class Store:
    """Keys below ``root`` of a file system of fsspec. ``within``: seconds for one answer.

    Every method raises ArchiveAway where the store does not answer, or refuses.
    """

    def __init__(self, filesystem: Any, root: str, within: float) -> None:
        self._fs, self._root, self._within = filesystem, root.rstrip("/"), within
        self._asking = {"timeout": within} if getattr(filesystem, "async_impl", False) else {}
        self._away: tuple[float, str] | None = None

    def put(self, key: str, source: Path, sums: Sums, *, replace: bool) -> None:
        """Put a file under a key, whole or not at all; returns once the store has proved to hold the bytes of ``sums``.

        Raises:
            FileExistsError: not with ``replace``, and where the store can tell: the key is taken.
        """
        with self._asked():
            self._fs.put_file(str(source), self._path(key), **self._asking)
        self._prove(key, sums)

    def size(self, key: str) -> int:
        """Bytes of an object.

        Raises:
            FileNotFoundError: none of that key.
        """
        return int(self._info(key)["size"])

    def open(self, key: str) -> BinaryIO:
        """An object for reading; what is read may raise as every method does.

        Raises:
            FileNotFoundError: none of that key.
        """
        path = self._path(key)

        def read(start: int, end: int) -> bytes:
            with self._asked():
                return bytes(self._fs.cat_file(path, start=start, end=end, **self._asking))

        return ranged(self.size(key), read)

    def names(self, before: str) -> Iterator[str]:
        """Keys that begin so, in order; a page at a time where the store gives pages."""
        try:
            with self._asked():
                found = self._fs.find(self._path(before).rpartition("/")[0], **self._asking)
        except FileNotFoundError:
            return
        root = f"{self._root.strip('/')}/"
        keys = sorted(str(path).strip("/").removeprefix(root) for path in found)
        yield from (key for key in keys if key.startswith(before))

    def copy(self, key: str, to: str) -> None:
        """A second name for an object, within the store."""
        with self._asked():
            self._fs.cp_file(self._path(key), self._path(to), **self._asking)
        if self.size(to) != self.size(key):
            raise self._missed("a copy differs from its original")

    def remove(self, key: str) -> None:
        """Remove an object; none of that key: nothing."""
        try:
            with self._asked():
                self._fs.rm_file(self._path(key), **self._asking)
        except FileNotFoundError:
            pass

    def note(self, key: str, text: bytes) -> None:
        """Put a few bytes that are no film."""
        with self._asked():
            self._fs.pipe_file(self._path(key), text, **self._asking)

    def now(self) -> datetime:
        """The time by which the store dates objects: hosts that share it need not agree."""
        key = f"clock/{secrets.token_hex(16)}"
        self.note(key, b"?")
        try:
            return self.written_at(key)
        finally:
            self.remove(key)

    def written_at(self, key: str) -> datetime:
        """When an object was written, by the store's clock.

        Raises:
            FileNotFoundError: none of that key.
        """
        info = self._info(key)
        for name in WRITTEN:
            if isinstance(at := info.get(name), datetime):
                return at
        raise self._missed("it does not say when an object was written")

    def trouble(self) -> str | None:
        """What the store last did not answer, for a while after."""
        if self._away is None or time.monotonic() - self._away[0] > TOLD_FOR:
            return None
        return self._away[1]

    def _info(self, key: str) -> dict[str, Any]:
        with self._asked():
            return dict(self._fs.info(self._path(key), **self._asking))

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _prove(self, key: str, sums: Sums) -> None:
        """Read again what was put.

        Raises:
            ArchiveAway: it is not what it should be.
        """
        found = sha256()
        try:
            with self.open(key) as stream:
                while piece := stream.read(PIECE):
                    found.update(piece)
        except FileNotFoundError:
            raise self._missed("what was put is not there") from None
        if found.digest() != sums.sha256:  # it stays for the next one to set aside: to remove it could hit another host's
            raise self._missed("what was put came out otherwise")

    def _missed(self, what: str) -> ArchiveAway:
        self._away = time.monotonic(), f"the object store: {what}"
        return ArchiveAway(self._away[1])

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, FileExistsError):
            self._away = None
            raise
        except Exception as error:  # each library has its own; texts of foreign servers are not repeated
            raise self._missed(f"no proper answer ({_kind(error)})") from error
        self._away = None


class S3Store(Store):
    """A bucket by the S3 protocol: one PUT an object, so that nothing of it is seen before all of it is there."""

    def put(self, key: str, source: Path, sums: Sums, *, replace: bool) -> None:
        condition = {} if replace else {"IfNoneMatch": "*"}
        with source.open("rb") as body:
            try:
                answer = self._say(
                    "put_object",
                    Key=self._name(key),
                    Body=body,
                    ContentLength=sums.size,
                    ContentType="application/dicom",
                    ChecksumSHA256=b64encode(sums.sha256).decode(),
                    **condition,
                )
            except FileNotFoundError:
                raise self._missed(NO_BUCKET) from None
        if not _proves(answer, sums):
            self._prove(key, sums)

    def _info(self, key: str) -> dict[str, Any]:
        head = self._say("head_object", Key=self._name(key))  # one question; the library's own asks for a folder, too
        return {"size": head["ContentLength"], "LastModified": head["LastModified"]}

    def names(self, before: str) -> Iterator[str]:
        more: dict[str, str] = {}
        while True:
            try:
                page = self._say("list_objects_v2", Prefix=self._name(before), **more)
            except FileNotFoundError:
                raise self._missed(NO_BUCKET) from None
            for one in page.get("Contents", ()):
                yield f"{self._bucket}/{one['Key']}".removeprefix(f"{self._root}/")
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": str(page["NextContinuationToken"])}

    @property
    def _bucket(self) -> str:
        return self._root.partition("/")[0]

    def _name(self, key: str) -> str:
        return self._path(key).partition("/")[2]

    def _say(self, method: str, **more: Any) -> dict[str, Any]:
        with self._asked():
            answer: dict[str, Any] = self._fs.call_s3(method, Bucket=self._bucket, **more, **self._asking)
        return answer


def _proves(answer: dict[str, Any], sums: Sums) -> bool:
    """Whether the answer to a PUT shows which bytes the store has.

    An ETag is made of them, and is their MD5 unless the store enciphers them by KMS; then it has compared the SHA-256 itself.
    """
    if str(answer.get("ETag", "")).strip('"') == sums.md5:
        return True
    enciphered = str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")
    return enciphered and answer.get("ChecksumSHA256") == b64encode(sums.sha256).decode()


def _kind(error: BaseException) -> str:
    """The code that an S3 server gave, or the kind of the error; no text of it."""
    response = getattr(error.__cause__, "response", None) or getattr(error, "response", None)
    code = str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
    return code if _CODE.fullmatch(code) else type(error).__name__
