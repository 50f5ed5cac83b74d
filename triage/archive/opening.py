"""Which object stores there are: the scheme of a URL, what speaks to it, and how it is opened."""

import importlib
from typing import Any

from triage.archive.store import S3Store, Store
from triage.domain.errors import ConfigError

SCHEMES: dict[str, type[Store]] = {
    "s3": S3Store,
    "gs": Store,
    "gcs": Store,
    "az": Store,
    "abfs": Store,
    "abfss": Store,
}
"""Stores in which an object is seen whole or not at all. A file by SFTP or SMB is seen half, and nothing makes it durable."""
CONNECTED_WITHIN = 5.0
"""Seconds in which a store that is there takes a connection."""
CONNECTIONS = 64


def open_store(url: str, endpoint: str, within: float) -> Store:
    """A store by its URL, ``scheme://bucket/prefix``; nothing is asked of it yet. ``within``: seconds for an answer.

    Who we are says the environment: the standard chain of the store's own library.

    Raises:
        ConfigError: no such store, or what speaks to it is not installed.
    """
    scheme, _, root = url.partition("://")
    if scheme not in SCHEMES:
        raise ConfigError(f"storage.archive: {scheme}:// is no object store; there are {', '.join(SCHEMES)}")
    try:
        fsspec: Any = importlib.import_module("fsspec")  # heavy, and of an extra
        options = {"skip_instance_cache": True, "use_listings_cache": False, **_options(scheme, endpoint, within)}
        filesystem = fsspec.filesystem(scheme, **options)
    except ImportError:
        missing = "'chest-triage[objects]'" if scheme == "s3" else "gcsfs" if scheme.startswith("g") else "adlfs"
        raise ConfigError(f"storage.archive: what speaks to {scheme}:// is not installed: pip install {missing}") from None
    if scheme == "s3":
        filesystem.retries = 1  # the library below tries again, and sets the body back for it
    return SCHEMES[scheme](filesystem, root, within)


def _options(scheme: str, endpoint: str, within: float) -> dict[str, Any]:
    if scheme != "s3":
        return {}
    config: dict[str, Any] = {
        "connect_timeout": min(CONNECTED_WITHIN, within),
        "read_timeout": within,
        "retries": {"mode": "standard", "total_max_attempts": 2},
        "max_pool_connections": CONNECTIONS,
        # sums of their own break older servers; ours goes with every film
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    if not endpoint:
        return {"config_kwargs": config}
    return {"endpoint_url": endpoint, "config_kwargs": config | {"s3": {"addressing_style": "path"}}}
