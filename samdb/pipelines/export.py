"""Export: segments, labels or predictions of the store, in a format of others."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from samdb._version import __version__
from samdb.datasets.vocabulary import det_20_name
from samdb.errors import BankError, ConfigError, InputError
from samdb.pipelines.export_place import MANIFEST, ImageFiles, ImageNames, staged
from samdb.pipelines.export_source import (
    WHATS,
    ExportSource,
    export_image,
    exported,
    stored_images,
)
from samdb.ports import VectorStore
from samdb.reports.export_bdd100k import Bdd100kWriter
from samdb.reports.export_coco import CocoWriter
from samdb.reports.export_fiftyone import FiftyOneWriter
from samdb.reports.export_parquet import ParquetWriter
from samdb.reports.export_record import (
    NO_CLASS,
    ExportObject,
    ExportWriter,
    LeftOut,
    LeftOuts,
    split_name,
)
from samdb.reports.export_voc import VocWriter
from samdb.reports.export_yolo import YoloWriter
from samdb.stores.layout import SEGMENTS

ExportFormat: TypeAlias = Literal["coco", "bdd100k", "yolo", "voc", "parquet", "fiftyone"]
ImagesMode: TypeAlias = Literal["link", "copy", "none"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
IMAGES_MODES: tuple[ImagesMode, ...] = get_args(ImagesMode)

#: formats that may be a single file, by its ending
_SINGLE = {"coco": (".json",), "bdd100k": (".json",), "parquet": (".parquet", ".pq")}
_TABLE = "segments.parquet"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export, and how.

    `images` link to the image files, copy them, or leave them out; a single file and a table hold none.
    `dims` are the dimensions of the source's recipes. `force` replaces an earlier export.
    """

    format: ExportFormat
    source: ExportSource
    images: ImagesMode = "link"
    dims: Mapping[str, int] | None = None
    force: bool = False

    def __post_init__(self) -> None:
        for value, known in (
            (self.format, FORMATS),
            (self.source.what, WHATS),
            (self.images, IMAGES_MODES),
        ):
            if value not in known:
                raise ConfigError(f"cannot export {value!r}: choose from {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported to `path`: `n_objects` of `n_images`, of which `classes` had how many.

    `left_out` is what the export does not hold, with reasons; `notes` are what a user should know.
    """

    format: str
    what: str
    path: str
    n_images: int
    n_objects: int
    classes: Mapping[str, int]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    seconds: float

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from samdb.pipelines.notebook_reports import export_html

        return export_html(self)


def export(
    store: VectorStore,
    request: ExportRequest,
    out: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ExportReport:
    """Write the export to `out`, a folder or a file (for FiftyOne: the name of its dataset).

    It appears only whole: a run that fails or is stopped leaves nothing. `on_progress` is told how many
    images are done, and of how many. Raises ConfigError when `out` is taken or cannot be written, InputError
    when nothing matches, BankError when the bank does not fit the segments.
    """
    started = time.perf_counter()
    left_out = LeftOuts()
    images = stored_images(store, request.source.where, left_out)
    classes = _classes(store, request)
    if not images or (not classes and not request.source.every_image):
        raise InputError(_nothing(store, request.source))
    counts: Counter[str] = Counter()
    n_images = 0
    with ExitStack() as whole:
        target = whole.enter_context(_place(request, out))
        writer = whole.enter_context(closing(_writer(request, target, out, classes, left_out)))
        names: dict[str | None, ImageNames] = defaultdict(ImageNames)
        files = ImageFiles(target, left_out, copy=request.images == "copy")
        for done, (stored, objects) in enumerate(exported(store, request.source, images, left_out), 1):
            on_progress(done, len(images))
            if not objects and not request.source.every_image:
                if request.source.what == "labels":
                    left_out.note("images without such a label", stored.image_id)
                continue
            n_images += 1
            folder = writer.images_folder(split_name(stored.split))
            image = export_image(stored, n_images, names[folder].name(stored.image_id))
            wants_file = folder is not None and request.images != "none"
            has_file = wants_file and files.place(image.path, str(folder), image.name)
            wanted = _renamed(objects) if request.format == "bdd100k" else objects
            writer.add(image, wanted, has_file=has_file)
            counts.update(found.category for found in wanted)
        if not n_images:
            raise InputError(_nothing(store, request.source))
        notes = (*writer.finish(), *files.notes())
        report = ExportReport(
            format=request.format,
            what=request.source.what,
            path=str(out),
            n_images=n_images,
            n_objects=sum(counts.values()),
            classes=dict(sorted(counts.items())),
            left_out=left_out.items(),
            notes=notes,
            seconds=time.perf_counter() - started,
        )
        if target.is_dir():
            record = {"samdb_export": __version__, **asdict(report)}
            text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
            (target / MANIFEST).write_text(text, encoding="utf-8", errors="backslashreplace")
    return report


def is_single_file(format: str, out: Path) -> bool:
    """Whether `out` names one file for all."""
    return out.suffix.lower() in _SINGLE.get(format, ())


@contextmanager
def _place(request: ExportRequest, out: Path) -> Iterator[Path]:
    if request.format == "fiftyone":
        yield out  # the name of a dataset in FiftyOne's database
        return
    single = is_single_file(request.format, out)
    with staged(out, folder=not single, force=request.force) as target:
        yield target


def _writer(
    request: ExportRequest, target: Path, out: Path, classes: Sequence[str], left_out: LeftOuts
) -> ExportWriter:
    what = request.source.what
    single = is_single_file(request.format, out)
    if request.format == "coco":
        return CocoWriter(target, classes, f"samdb {__version__}: {what}", single=single)
    if request.format == "bdd100k":
        return Bdd100kWriter(target, single=single, own_ids=what == "labels")
    if request.format == "yolo":
        return YoloWriter(target, classes)
    if request.format == "voc":
        return VocWriter(target, classes, left_out)
    if request.format == "fiftyone":
        return FiftyOneWriter(str(out), what, left_out, force=request.force)
    about = {
        "version": __version__,
        "what": what,
        "bank": request.source.card.label if request.source.card else "",
    }
    table = target if single else target / _TABLE
    return ParquetWriter(table, request.dims or {}, about, left_out)


def _classes(store: VectorStore, request: ExportRequest) -> list[str]:
    """All classes that the export may name, sorted, "no class" last."""
    source = request.source
    if source.what == "predictions":
        if source.card is None:
            raise BankError("predictions need a bank: build one with `samdb bank build`")
        named = set(source.card.classes)
        without = False
    else:
        counts = store.facet(SEGMENTS, "class_name", source.stored_where)
        named = set(counts)
        without = store.count(SEGMENTS, source.stored_where) > sum(counts.values())
    if request.format == "bdd100k":
        named = set(map(det_20_name, named))
    return [*sorted(named - {NO_CLASS}), *([NO_CLASS] if without or NO_CLASS in named else [])]


def _renamed(objects: Sequence[ExportObject]) -> list[ExportObject]:
    """The objects with BDD100K's names: a person is a pedestrian there."""
    return [o if o.class_name is None else replace(o, class_name=det_20_name(o.class_name)) for o in objects]


def _nothing(store: VectorStore, source: ExportSource) -> str:
    """Why there is nothing to export, and what to do."""
    total = store.count(SEGMENTS)
    if source.what == "labels":
        hint = "export --what segments, or ingest a dataset with labels"
    else:
        hint = "loosen --where and --split"
    return f"none of the {total:,} segments in {store.address} is to be exported ({source.what}): {hint}"
