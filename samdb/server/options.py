"""What a server is told: where it listens, who may ask, and how much."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from samdb.config import Settings
from samdb.errors import ConfigError

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The limits of a server. Bytes and pixels are of one upload, `max_uploads_bytes` of all together.

    `max_results` is the most that one answer lists, `sam_queue` how many jobs may wait for SAM, `sam_rate`
    how many a second one client may ask for, `max_requests` how many requests may be under way.
    """

    host: str = "127.0.0.1"
    api_key: str | None = None
    hosts: tuple[str, ...] = ()
    max_upload_bytes: int = 25 * _MB
    max_pixels: int = 50_000_000
    max_uploads_bytes: int = 512 * _MB
    upload_ttl_s: float = 3600.0
    sam_queue: int = 8
    sam_rate: float = 20.0
    max_results: int = 500
    max_requests: int = 128
    max_body_bytes: int = 4 * _MB
    picture_cache_bytes: int = 64 * _MB
    pixel_cache_bytes: int = 128 * _MB
    encoded_images: int = 8

    @classmethod
    def of(cls, settings: Settings) -> ServeOptions:
        """The settings' limits. Raises ConfigError when the server would be open to others without a key."""
        key = None if settings.serve_api_key is None else settings.serve_api_key.get_secret_value()
        if key is not None and len(key) < 8:
            raise ConfigError(
                "the server's API key is short: give at least 8 characters in SAMDB_SERVE_API_KEY"
            )
        if not key and not is_loopback(settings.serve_host):
            raise ConfigError(
                f"at {settings.serve_host} others can reach the server: set a key in SAMDB_SERVE_API_KEY (or "
                "--api-key), or leave --host away, so that only this machine can"
            )
        return cls(
            host=settings.serve_host,
            api_key=key,
            hosts=tuple(name.strip().lower() for name in settings.serve_hosts.split(",") if name.strip()),
            max_upload_bytes=round(settings.serve_max_upload_mb * _MB),
            max_pixels=settings.serve_max_pixels,
            max_uploads_bytes=round(settings.serve_uploads_mb * _MB),
            upload_ttl_s=settings.serve_upload_minutes * 60,
            sam_queue=settings.serve_queue,
            sam_rate=settings.serve_rate,
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
