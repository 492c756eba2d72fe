"""Settings to concrete objects: the only place that names backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from samdb.config import Settings
from samdb.core.tuning import TuningValue, parse_tuning
from samdb.ports import Dataset, Segmenter, VectorStore
from samdb.stores.layout import LayoutParams

if TYPE_CHECKING:
    from samdb.sam.download import Progress

#: what a new store is made for unless told otherwise
DEFAULT_MODEL = "vit_t"


def open_store(settings: Settings) -> VectorStore:
    """The store that the settings name. Raises StoreError when it cannot be opened."""
    from samdb.stores.open import open_store as open_address

    return open_address(
        settings.store,
        api_key=None if settings.api_key is None else settings.api_key.get_secret_value(),
        prefix=settings.store_prefix,
        timeout_s=settings.timeout_s,
        retry_s=settings.retry_s,
        prefer_grpc=settings.prefer_grpc,
        grpc_port=settings.grpc_port,
        tls_ca=settings.tls_ca,
        tls_verify=settings.tls_verify,
    )


def with_model(settings: Settings, store: VectorStore) -> Settings:
    """The settings with a model: their own, else the one that the store holds, else vit_t."""
    from samdb.stores.migrate import stored_params

    if settings.model:
        return settings
    held = stored_params(store)
    return settings.model_copy(update={"model": held.model if held else DEFAULT_MODEL})


def layout_params(settings: Settings) -> LayoutParams:
    """How a store for the settings' model is laid out."""
    from samdb.sam.recipes import layout_dims

    model = settings.model or DEFAULT_MODEL
    return LayoutParams(model, layout_dims(model))


def tuning(settings: Settings) -> Mapping[str, TuningValue]:
    """What the settings ask of a store's tuning. Raises ConfigError when there is no such thing."""
    return parse_tuning(settings.tuning)


def model_fingerprint(settings: Settings) -> str:
    """The fingerprint of the settings' model, without loading it: the one `load_segmenter` gives it."""
    from samdb.sam.checkpoints import fingerprint_of

    return fingerprint_of(settings.model or DEFAULT_MODEL)


def is_server(settings: Settings) -> bool:
    """Whether the store is a server, which many processes may write to at once."""
    return settings.store.startswith(("http://", "https://"))


def fetch_weights(settings: Settings, progress: Progress | None = None, recipes: Sequence[str] = ()) -> Path:
    """The checkpoint of the settings' model, found or fetched, and what else the recipes need. Raises
    WeightsError if one of them is nowhere.
    """
    from samdb.sam.weights import resolve

    if "semantic" in recipes:
        fetch_semantic_weights(settings, progress)
    return resolve(settings.model or DEFAULT_MODEL, settings.checkpoint, settings.weights_dir, progress)


def fetch_semantic_weights(settings: Settings, progress: Progress | None = None) -> Path:
    """The checkpoint of what the recipe `semantic` looks with, as `fetch_weights`."""
    from samdb.sam.checkpoints import SEMANTIC_MODEL
    from samdb.sam.weights import resolve

    return resolve(SEMANTIC_MODEL, None, settings.weights_dir, progress)


def load_segmenter(
    settings: Settings, progress: Progress | None = None, n_threads: int | None = None
) -> Segmenter:
    """Segment Anything with the settings' model; its weights are found, or fetched once. On a CPU it uses
    `n_threads`, unless that is None as many as there are.

    Raises WeightsError when the weights can be had from nowhere, ConfigError on an unknown model, device or
    runtime.
    """
    from samdb.sam.automatic import AutomaticSettings
    from samdb.sam.checkpoints import checkpoint_of
    from samdb.sam.device import choose_compute, keep_freed_memory, use_threads
    from samdb.sam.networks import load_networks
    from samdb.sam.runtimes import choose_runtime, load_encoder
    from samdb.sam.segmenter import SamSegmenter
    from samdb.sam.semantic import load_semantic

    model = settings.model or DEFAULT_MODEL
    compute = choose_compute(settings.device, settings.precision)
    choose_runtime(settings.runtime, compute)  # a slip of the pen need not wait for a download
    checkpoint = fetch_weights(settings, progress)
    # an encoder in bf16 moves one automatic mask in eight to another side of some threshold, a decoder in
    # bf16 one in fifty (README, "Automatic masks"); beside 1,024 prompts its time counts little
    exactly = settings.automatic == "exact" and settings.precision == "auto"
    encoding = replace(compute, precision="fp32") if exactly else compute
    if compute.device == "cpu":
        keep_freed_memory()
    if n_threads is not None:
        use_threads(n_threads)
    networks = load_networks(model, checkpoint)
    sha256 = checkpoint_of(model).sha256  # `resolve` takes no other file
    return SamSegmenter(
        networks,
        compute,
        weights_sha256=sha256,
        encoder=load_encoder(networks, encoding, settings.runtime, checkpoint, sha256),
        automatic=AutomaticSettings(
            settings.points_per_side,
            crop_layers=settings.crop_layers,
            # a crop shows a thing twice as large: half the points per side lie as densely on it
            crop_points_divisor=2 if settings.crop_layers else 1,
            mode=settings.automatic,
        ),
        load_semantic=lambda: load_semantic(fetch_semantic_weights(settings, progress), compute.device),
    )


@lru_cache(maxsize=1)
def built_in_store() -> VectorStore:
    """A store in memory that holds the bank that ships with samdb, and nothing else: only read it."""
    from samdb.bank.built_in import built_in_bank
    from samdb.pipelines.publish_bank import publish
    from samdb.sam.recipes import layout_dims
    from samdb.stores.memory import MemoryStore
    from samdb.stores.migrate import migrate

    bank = built_in_bank()
    store = MemoryStore()
    migrate(store, LayoutParams(bank.card.model, layout_dims(bank.card.model)))
    publish(store, bank)
    return store


def open_dataset(path: Path, format: str = "auto", name: str | None = None) -> Dataset:
    """The dataset at `path`. Raises DatasetError when nothing usable is there."""
    from samdb.datasets.detect import open_dataset as detect

    return detect(path, format, name)
