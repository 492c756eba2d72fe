"""Settings to concrete objects: the only place that names backends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from samdb.config import Settings
from samdb.ports import Dataset, Segmenter, VectorStore
from samdb.stores.layout import LayoutParams

if TYPE_CHECKING:
    from samdb.sam.download import Progress


def open_store(settings: Settings) -> VectorStore:
    """The store that the settings name. Raises StoreError when it cannot be opened."""
    from samdb.stores.open import open_store as open_address

    return open_address(
        settings.store,
        api_key=None if settings.api_key is None else settings.api_key.get_secret_value(),
        prefix=settings.store_prefix,
        timeout_s=settings.timeout_s,
        prefer_grpc=settings.prefer_grpc,
        grpc_port=settings.grpc_port,
        tls_ca=settings.tls_ca,
        tls_verify=settings.tls_verify,
    )


def layout_params(settings: Settings) -> LayoutParams:
    """How a store for the settings' model is laid out."""
    from samdb.sam.recipes import layout_dims

    return LayoutParams(settings.model, layout_dims(settings.model))


def load_segmenter(settings: Settings, progress: Progress | None = None) -> Segmenter:
    """Segment Anything with the settings' model; its weights are found, or fetched once.

    Raises WeightsError when the weights can be had from nowhere, ConfigError on an unknown model or device.
    """
    from samdb.sam.automatic import AutomaticSettings
    from samdb.sam.checkpoints import checkpoint_of
    from samdb.sam.device import choose_compute, keep_freed_memory
    from samdb.sam.networks import load_networks
    from samdb.sam.segmenter import SamSegmenter
    from samdb.sam.weights import resolve

    compute = choose_compute(settings.device, settings.precision)
    checkpoint = resolve(settings.model, settings.checkpoint, settings.weights_dir, progress)
    if compute.device == "cpu":
        keep_freed_memory()
    networks = load_networks(settings.model, checkpoint)
    return SamSegmenter(
        networks,
        compute,
        weights_sha256=checkpoint_of(settings.model).sha256,
        automatic=AutomaticSettings(settings.points_per_side),
    )


def open_dataset(path: Path, format: str = "auto", name: str | None = None) -> Dataset:
    """The dataset at `path`. Raises DatasetError when nothing usable is there."""
    from samdb.datasets.detect import open_dataset as detect

    return detect(path, format, name)
