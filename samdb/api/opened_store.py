"""A store that is open, with the model it is for: what every method of the database stands on."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from samdb import wiring
from samdb.config import Settings
from samdb.core.head import PROJECTED
from samdb.errors import ConfigError, StoreLayoutError
from samdb.ports import Segmenter, VectorStore
from samdb.sam.recipes import RECIPES
from samdb.stores.layout import BANK, IMAGES, SEGMENTS, LayoutParams
from samdb.stores.migrate import check_layout, migrate, stored_params

if TYPE_CHECKING:
    from samdb.sam.download import Progress

_Opened = TypeVar("_Opened", bound="OpenedStore")


class OpenedStore:
    """Opens the store, loads the model on first use, and checks that the two fit.

    Without a model in the settings it is the store's; `settings` tells which. `on_download` is told how far
    the model's weights are, if they must be fetched.
    """

    def __init__(self, settings: Settings, on_download: Progress | None = None) -> None:
        self.store: VectorStore = wiring.open_store(settings)
        try:
            self.settings = wiring.with_model(settings, self.store)
        except BaseException:
            self.store.close()
            raise
        self._on_download = on_download
        self._segmenter: Segmenter | None = None
        self._held: LayoutParams | None = None

    @property
    def segmenter(self) -> Segmenter:
        """Segment Anything, loaded once; weights are fetched when they are not on this machine."""
        if self._segmenter is None:
            self._segmenter = wiring.load_segmenter(self.settings, self._on_download)
        return self._segmenter

    @segmenter.setter
    def segmenter(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    def prepare(self) -> list[str]:
        """Lay out a new store for the settings' model, or check an existing one; names what was applied."""
        self.check_model()
        params = wiring.layout_params(self.settings)
        return migrate(self.store, params, tuning=wiring.tuning(self.settings))

    def check_model(self) -> None:
        """Raise StoreLayoutError when the store holds anything of another version or model.

        A store without any point is new, even if a process was killed while it was laying it out.
        """
        held = set(self.store.collections()) & {SEGMENTS, IMAGES, BANK}
        if any(self.store.count(name) for name in held):
            check_layout(self.store, self.settings.model, tuning=wiring.tuning(self.settings))

    def check(self) -> None:
        """Raise StoreLayoutError unless the store is laid out by this version, for this model."""
        if self._held is not None:
            return
        held = stored_params(self.store)
        if held is None:
            raise StoreLayoutError(
                f"the store at {self.store.address} is empty: run `samdb ingest PATH` first"
            )
        check_layout(self.store, self.settings.model, tuning=wiring.tuning(self.settings))
        self._held = held

    def check_recipe(self, recipe: str) -> None:
        """Raise ConfigError unless the store's model has that recipe, StoreLayoutError as `check`."""
        self.check()
        known = sorted(self._held.vectors) if self._held else []
        if recipe in RECIPES and recipe not in known:
            raise ConfigError(
                f"the store at {self.store.address} is older than the recipe {recipe!r}: "
                f"`samdb ingest PATH --recipes blend,{recipe}` adds it"
            )
        if recipe not in known:
            raise ConfigError(f"unknown recipe {recipe!r}: choose from {', '.join(known)}")

    def _check_embedded(self, recipe: str) -> None:
        """The same; and what a bank has made of embeddings is no recipe to learn another from."""
        if recipe == PROJECTED:
            raise ConfigError(f"{recipe!r} is made by a bank: choose what it is made of (`samdb bank show`)")
        self.check_recipe(recipe)

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def __enter__(self: _Opened) -> _Opened:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
