"""Settings: the only reader of the environment (and of nothing else)."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from samdb.errors import ConfigError

_PREFIX = "SAMDB_"
# the test suite's own switches; they configure no samdb
_FOREIGN = "SAMDB_TEST_"


class Settings(BaseSettings):
    """What a samdb process needs to know. Every field is also an environment variable, `SAMDB_<FIELD>`.

    A command-line option wins over the environment, the environment over the default.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        extra="forbid",
        frozen=True,
        # compose files pass variables that are not set as empty ones
        env_ignore_empty=True,
    )

    store: str = Field("./samdb_data", description="a folder, http(s)://host:6333, or memory:")
    store_prefix: str = Field("", description="keeps several stores on one server apart")
    api_key: SecretStr | None = Field(None, description="API key of the server")
    tuning: str = Field("", description="layout, such as shards=3,replicas=2; empty: as the store has it")
    timeout_s: float = Field(30.0, gt=0, description="time-out of one request to the server")
    prefer_grpc: bool = Field(True, description="use gRPC when the server offers it")
    grpc_port: int | None = Field(None, description="gRPC port, when it is not one above the HTTP port")
    tls_ca: Path | None = Field(None, description="certificate authority of the server")
    tls_verify: bool = Field(True, description="check the server's certificate")
    retry_s: float = Field(60.0, ge=0, description="how long a server that went away is waited for")
    model: str = Field("", description="vit_t, vit_b, vit_l or vit_h; empty: the store's, of a new one vit_t")
    checkpoint: Path | None = Field(None, description="checkpoint file; else it is found or fetched")
    weights_dir: Path | None = Field(None, description="folder of checkpoints")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    precision: str = Field("auto", description="auto, fp32, bf16")
    runtime: str = Field("auto", description="auto, torch, compile, openvino: what the encoder runs on")
    automatic: Literal["exact", "fast"] = Field("fast", description="how automatic masks are found")
    points_per_side: int = Field(32, ge=1, le=256, description="grid of automatic masks: points per side")
    crop_layers: int = Field(0, ge=0, le=2, description="automatic masks: look again at 2x2 crops, at 4x4")
    serve_host: str = Field("127.0.0.1", description="where `samdb serve` listens")
    serve_port: int = Field(8080, ge=0, le=65535, description="its port; 0: one that is free")
    serve_api_key: SecretStr | None = Field(
        None, description="key that clients of `samdb serve` must show; needed where it is no loopback"
    )
    serve_hosts: str = Field("", description="other names, with commas, that browsers may reach it by")
    serve_max_upload_mb: float = Field(25, gt=0, description="largest image that may be uploaded")
    serve_max_pixels: int = Field(50_000_000, ge=1, description="most pixels of an uploaded image")
    serve_uploads_mb: float = Field(512, gt=0, description="what all uploads together may take on the disk")
    serve_upload_minutes: float = Field(60, gt=0, description="an upload unused for so long is dropped")
    serve_queue: int = Field(8, ge=1, description="prompts and images that may wait for SAM")
    serve_rate: float = Field(20, gt=0, description="prompts and uploads per second of one client")

    def shown(self) -> Mapping[str, str]:
        """The settings as text, secrets hidden; stored with what they produced."""
        return {name: str(value) for name, value in self.model_dump().items() if value is not None}


def load_settings(overrides: Mapping[str, str | float | bool | Path | None]) -> Settings:
    """Settings from the environment; `overrides` that are not None win.

    Raises ConfigError on a value that cannot be used and on a SAMDB_ variable that does not exist.
    """
    known = {f"{_PREFIX}{name}".upper() for name in Settings.model_fields}
    unknown = sorted(
        name
        for name in os.environ
        if name.upper().startswith(_PREFIX) and not name.upper().startswith(_FOREIGN)
        if name.upper() not in known
    )
    if unknown:
        near = difflib.get_close_matches(unknown[0].upper(), known, n=1)
        meant = f": did you mean {near[0]}?" if near else ""
        raise ConfigError(
            f"the environment sets {unknown[0]}, which samdb does not know{meant or ';'} "
            f"Its variables are {', '.join(sorted(known))}"
        )
    try:
        return Settings.model_validate(
            {**Settings().model_dump(), **{k: v for k, v in overrides.items() if v is not None}}
        )
    except ValidationError as exc:
        first = exc.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"the setting {field} cannot be used: {first['msg']}") from exc
