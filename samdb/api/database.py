"""The database: a store with the model that fills and reads it; what the command line does, as methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from samdb import wiring
from samdb.api.answering import answering
from samdb.api.inputs import best_prompts, check_split, one_image
from samdb.api.opened_store import OpenedStore
from samdb.core.bank import BankCard
from samdb.core.boxes import Box
from samdb.core.head import PROJECTED
from samdb.core.masks import Rle
from samdb.core.prompt import MaskCandidate, Prompt
from samdb.core.sample import Label, Sample
from samdb.core.segment import Granularity, Segment
from samdb.core.where import parse_where
from samdb.errors import ConfigError
from samdb.pipelines.bank_versions import activate_bank, active_head, show_bank
from samdb.pipelines.build_bank import BankProgress, BuildBankReport, build_bank
from samdb.pipelines.bulk_load import bulk_load
from samdb.pipelines.classify import ClassifiedImage, classify_image
from samdb.pipelines.cutting import PROMPT_MODES, CutSettings, PromptMode
from samdb.pipelines.empty_answer import explain_nothing
from samdb.pipelines.examples import Example, offered_masks, prompted_examples, recognised, stored_example
from samdb.pipelines.explain import Explanation, explain
from samdb.pipelines.ingest import IngestProgress, IngestReport
from samdb.pipelines.ledger import file_sha256
from samdb.pipelines.project import projected_by
from samdb.pipelines.projecting import ProjectingSegmenter, fitted
from samdb.pipelines.search import SearchRequest, SearchResults, search
from samdb.ports import Dataset, Progress, silent
from samdb.stores.layout import SEGMENTS

if TYPE_CHECKING:
    from samdb.bank.train_settings import TrainSettings
    from samdb.pipelines.export import ExportFormat, ExportReport, ImagesMode
    from samdb.pipelines.export_source import ExportWhat
    from samdb.pipelines.train_bank import TrainBankReport
    from samdb.workers.ray_cluster import RayPlan

#: the recipes stored unless told otherwise, and the one that banks and searches compare (README, "Recipes")
DEFAULT_RECIPES: tuple[str, ...] = ("blend",)
DEFAULT_RECIPE = "blend"


class Database(OpenedStore):
    """A store with the model that fills and reads it. SAM is loaded on first use. Close it, or use `with`.

    Without a model in the settings it is the store's; `settings` tells which. `on_download` is told how far
    the model's weights are, if they must be fetched.
    """

    def ingest(
        self,
        path: str | Path | Dataset,
        *,
        format: str = "auto",
        name: str | None = None,
        split: str | None = None,
        prompts: PromptMode | None = None,
        recipes: Sequence[str] = DEFAULT_RECIPES,
        limit: int | None = None,
        bulk: bool = False,
        ray: RayPlan | None = None,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
        on_index: Progress = silent,
    ) -> IngestReport:
        """Cut the images of a dataset into segments and store them; run it again to resume or update.

        `name` is what the dataset is called in the store (default: its folder's name). `prompts` None means
        the labels where there are any, else everything that SAM sees. With `bulk` vector indexes are built
        once, at the end, told to `on_index`. `ray` says on which Ray to do it, with how many workers. Several
        processes may ingest into the same server at once: they share the images.

        Raises DatasetError when there is no dataset at `path` or the store holds another one of that name,
        ConfigError when it has no such `split`, StoreLayoutError when the store was laid out by another
        version or for another model.
        """
        from samdb.pipelines.claims import Claims
        from samdb.workers.local import IngestJob, run_ingest

        if prompts is not None and prompts not in PROMPT_MODES:
            raise ConfigError(f"unknown prompts {prompts!r}: use one of {', '.join(PROMPT_MODES)}")
        dataset = wiring.open_dataset(Path(path), format, name) if isinstance(path, (str, Path)) else path
        check_split(dataset, split)
        self.prepare()
        mode = prompts or best_prompts(dataset, split)
        head, fingerprint = active_head(self.store, wiring.model_fingerprint(self.settings))
        job = IngestJob(dataset, CutSettings(mode, tuple(recipes)), split, limit, head=fingerprint)
        claims = Claims(self.store, dataset.name) if wiring.is_server(self.settings) else None
        if ray is None:
            segmenter = self.segmenter if head is None else ProjectingSegmenter(self.segmenter, head)
        elif ray.is_local:  # once, with its progress told, instead of by each worker
            wiring.fetch_weights(self.settings, self._on_download, tuple(recipes))
        if not bulk:
            self.store.resume_indexes(SEGMENTS)  # a bulk load may have been killed
        with bulk_load(self.store, on_index) if bulk else nullcontext():
            if ray is None:
                return run_ingest(job, segmenter, self.store, claims, on_progress)
            from samdb.workers.ray_ingest import run_ray_ingest

            return run_ray_ingest(job, ray, self.settings, self.store, head, claims, on_progress)

    def build_bank(
        self,
        *,
        name: str = "default",
        recipe: str = DEFAULT_RECIPE,
        k: int = 51,
        min_segments: int = 1,
        min_area_px: int = 0,
        exclude: Sequence[str] = (),
        where: Sequence[str] = (),
        parts: bool = True,
        named: bool = False,
        background: bool = True,
        whiten: bool = False,
        seed: int = 0,
        activate: bool = True,
        on_progress: BankProgress | None = None,
    ) -> BuildBankReport:
        """Build a memory bank from the labelled segments, and make it the active one with `activate`.

        At most `k` centres per class, of wholes and (with `parts`) of parts apart; `exclude` prunes classes,
        `where` are filters such as `split=train`; with `named` it also learns what `samdb discover` named,
        with `background` what is no object. With `whiten` a linear head makes the classes round first. Raises
        BankError when nothing is labelled.
        """
        self._check_embedded(recipe)
        return build_bank(
            self.store,
            recipe=recipe,
            name=name,
            fingerprint=wiring.model_fingerprint(self.settings),
            k=k,
            min_segments=min_segments,
            min_area_px=min_area_px,
            exclude=tuple(exclude),
            where=parse_where(where),
            parts=parts,
            named=named,
            background=background,
            whiten=whiten,
            seed=seed,
            activate=activate,
            progress=on_progress,
        )

    def train_bank(
        self,
        *,
        recipes: Sequence[str] = (DEFAULT_RECIPE,),
        settings: TrainSettings | None = None,
        name: str = "default",
        kmeans: bool = False,
        min_segments: int = 1,
        min_area_px: int = 0,
        exclude: Sequence[str] = (),
        where: Sequence[str] = (),
        parts: bool = True,
        background: bool = True,
        activate: bool = True,
        on_progress: BankProgress | None = None,
    ) -> TrainBankReport:
        """Train a projection head on the stored embeddings of `recipes`, and a bank with it: learned
        prototypes, or with `kmeans` centres of projected segments; the rest is as for `build_bank`.
        """
        from samdb.bank.train_settings import TrainSettings as Default
        from samdb.pipelines.train_bank import train_bank

        for recipe in recipes:
            self._check_embedded(recipe)
        return train_bank(
            self.store,
            recipes=tuple(dict.fromkeys(recipes)),
            settings=settings or Default(),
            name=name,
            fingerprint=wiring.model_fingerprint(self.settings),
            kmeans=kmeans,
            min_segments=min_segments,
            min_area_px=min_area_px,
            exclude=tuple(exclude),
            where=parse_where(where),
            parts=parts,
            background=background,
            activate=activate,
            progress=on_progress,
        )

    def activate_bank(self, bank: str, on_progress: Callable[[int, int], None] | None = None) -> BankCard:
        """Classify with this bank from now on; if it was trained, every stored segment is projected first.
        Raises BankError when it was made for another model or recipe."""
        self.check()
        fingerprint = wiring.model_fingerprint(self.settings)
        return activate_bank(self.store, bank, fingerprint=fingerprint, progress=on_progress)

    def bank(self, bank: str | None = None) -> BankCard:
        """What there is to know of a bank of the store: `name`, `name@version`, or the active one. Raises
        BankError when there is none."""
        self.check()
        return show_bank(self.store, bank)

    def classify(
        self,
        image: str | Path | Sample,
        *,
        prompts: PromptMode = "auto",
        boxes_xyxy: Sequence[Box] = (),
        bank: str | None = None,
    ) -> ClassifiedImage:
        """Classify the segments of one image with a bank (default: the active one).

        Everything that SAM sees, the labels of a dataset's sample (`prompts` "labels"), or what lies in given
        boxes (px of the upright image). Nothing is stored. Raises ImageError when the image cannot be read,
        BankError when there is no bank for this model.
        """
        from samdb.datasets.images import read_image

        store, card = answering(self.store, self.settings.model, bank).pair
        sample = image if isinstance(image, Sample) else one_image(Path(image))
        if boxes_xyxy:
            labels = tuple(Label(str(i), "", "", box) for i, box in enumerate(boxes_xyxy))
            sample, prompts = replace(sample, labels=labels, has_labels=True), "labels"
        return classify_image(sample, read_image(sample.path), self.segmenter, store, card, prompts)

    def explain(self, image: ClassifiedImage, bank: str | None = None) -> list[Explanation]:
        """Why each segment of a classified image got its answer from that bank, in their order."""
        return explain(*answering(self.store, self.settings.model, bank).pair, image.segments)

    def search(
        self,
        image: str | Path | None = None,
        *,
        box_xyxy: Box | None = None,
        point_xy: tuple[float, float] | None = None,
        mask: Rle | None = None,
        segment_id: str | None = None,
        positives: Sequence[Example] = (),
        negatives: Sequence[Example] = (),
        where: Sequence[str] = (),
        recipe: str = DEFAULT_RECIPE,
        limit: int = 20,
        offset: int = 0,
        per_image: int | None = None,
    ) -> SearchResults:
        """Stored segments like an example: a stored segment, or what an image shows in a box, at a point or
        under a mask. The example itself is never among the hits, even when it is stored.

        `positives` and `negatives` are more examples, made by `examples` and `stored`; `where` are filters
        such as `class_name=car`; `per_image` keeps at most so many hits of one image; `offset` skips hits,
        for the next page. Raises InputError when the example does not exist, ConfigError when there is none.
        """
        self.check_recipe(recipe)
        filters = parse_where(where)  # before SAM is loaded: a slip of the pen need not wait for it
        wanted = list(positives)
        if segment_id is not None:
            wanted.append(self.stored(segment_id, recipe)[0])
        points = () if point_xy is None else (point_xy,)
        if box_xyxy is not None or points or mask is not None:
            if image is None:
                raise ConfigError("a box, a point or a mask needs the image it lies on")
            prompt = Prompt(box_xyxy, points, (True,) * len(points), mask)
            wanted += [example for example, _ in self.examples(Path(image), [prompt], recipe)]
        if recipe == PROJECTED:
            filters = projected_by(self.bank(), filters)
        request = SearchRequest(recipe, tuple(wanted), tuple(negatives), filters, limit, offset, per_image)
        return search(self.store, request)

    def examples(
        self, image: Path, prompts: Sequence[Prompt], recipe: str = DEFAULT_RECIPE
    ) -> list[tuple[Example, MaskCandidate]]:
        """What an image shows at each prompt, as an example to search by, with its mask.

        Raises InputError when a prompt lies outside the image.
        """
        from samdb.datasets.images import read_image

        self.check_recipe(recipe)
        projects = recipe == PROJECTED
        segmenter = fitted(self.segmenter, self.store, self.bank()) if projects else self.segmenter
        found = prompted_examples(segmenter, read_image(image), prompts, recipe)
        return recognised(self.store, found, recipe, file_sha256(image))

    def masks(self, image: Path, prompt: Prompt) -> list[tuple[MaskCandidate, Granularity]]:
        """Every mask that SAM offers for a prompt on an image, and how they lie in each other; the one that a
        search would take comes first. Raises InputError when the prompt lies outside the image.
        """
        from samdb.datasets.images import read_image

        return offered_masks(self.segmenter, read_image(image), prompt)

    def stored(self, segment_id: str, recipe: str = DEFAULT_RECIPE) -> tuple[Example, Segment]:
        """A stored segment as an example, and the segment. Raises InputError when there is none."""
        self.check_recipe(recipe)
        return stored_example(self.store, segment_id, recipe)

    def why_nothing(
        self, example: Example, *, where: Sequence[str] = (), recipe: str = DEFAULT_RECIPE
    ) -> list[str]:
        """Why a search with this example and these filters found nothing, a line each; for a message."""
        return explain_nothing(self.store, recipe, example.vector, parse_where(where))

    def export(
        self,
        format: ExportFormat,
        path: str | Path,
        *,
        what: ExportWhat = "segments",
        where: Sequence[str] = (),
        split: str | None = None,
        images: ImagesMode = "link",
        bank: str | None = None,
        recipes: Sequence[str] | None = None,
        force: bool = False,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> ExportReport:
        """Export segments, the dataset's labels or a bank's predictions in a format of others: see
        `samdb.pipelines.export`. Raises ConfigError when `path` is taken, InputError when nothing matches.
        """
        from samdb.api.exporting import run_export

        self.check()
        card = self.bank(bank) if what == "predictions" else None
        wanted = (format, what, where, split, images, card, recipes, force)
        return run_export(self.store, Path(path), on_progress, *wanted)

    def _repr_html_(self) -> str:
        """How a notebook shows it: what the store holds."""
        from samdb.pipelines.notebook_reports import store_html

        return store_html(self.store, self.settings.model)
