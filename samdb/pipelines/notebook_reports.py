"""How reports and the store itself show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Sequence

from samdb.core.points import Condition
from samdb.errors import SamdbError
from samdb.pipelines.bank_versions import BankListing, list_banks
from samdb.pipelines.browse import DatasetCount, count_datasets, count_values
from samdb.pipelines.build_bank import BuildBankReport
from samdb.pipelines.evaluate_report import EvalReport
from samdb.pipelines.evaluate_table import table_rows
from samdb.pipelines.export import ExportReport
from samdb.pipelines.ingest_report import IngestReport
from samdb.pipelines.train_bank import TrainBankReport
from samdb.ports import VectorStore
from samdb.reports.html_parts import html_table
from samdb.reports.notebook_html import counted, draw_facts, draw_note, draw_panel, draw_picture, draw_text
from samdb.reports.training_plot import TrainingCurve, training_plot_png
from samdb.stores.layout import IMAGES

#: classes of a store that are named
_MOST_CLASSES = 20
_PLOT_PX = 900


def ingest_html(report: IngestReport) -> str:
    """What an ingest did, and what it left out."""
    facts = [
        ("images ingested", f"{report.n_ingested:,}"),
        ("unchanged", f"{report.n_unchanged:,}"),
        ("quarantined", f"{len(report.quarantined):,}"),
        ("new segments", f"{report.n_segments:,}"),
    ]
    if report.n_removed:
        facts.append(("outdated segments removed", f"{report.n_removed:,}"))
    parts = [draw_facts(facts)]
    if report.n_ingested:
        p = report.profile
        stages = {
            "reading": p.read_s,
            "SAM's encoder": p.encode_s,
            "SAM's decoder": p.decode_s,
            "pooling and nesting": p.finish_s,
            "writing": p.write_s,
        }
        rows = [[name, f"{seconds:.2f}"] for name, seconds in stages.items()]
        parts.append(html_table(("stage (they overlap)", "seconds"), rows))
    if report.quarantined:
        parts.append(draw_note("Left out images:", [f"{q.image_id}: {q.reason}" for q in report.quarantined]))
    if report.problems:
        parts.append(draw_note("Left out labels:", [f"{q.image_id}: {q.reason}" for q in report.problems]))
    subtitle = f"{report.seconds:.1f} s, {report.images_per_s:.2f} images/s"
    if report.n_ingested:
        subtitle += f", SAM at work for {100 * report.sam_share:.0f} % of the time"
    return draw_panel(f"Ingested {report.dataset}", subtitle, parts)


def bank_html(report: BuildBankReport) -> str:
    """What a bank learned of each class, and how it did on images that were held out."""
    card = report.card
    return draw_panel(f"Bank {card.label}", _bank_line(report), _bank_parts(report))


def trained_html(report: TrainBankReport) -> str:
    """The same of a trained bank, with the curves of its training."""
    parts = _bank_parts(report.bank)
    if report.curves:
        png = training_plot_png(training_curves(report), f"bank {report.bank.card.label}")
        parts.append(draw_picture(png, "loss and held-out figures per epoch", _PLOT_PX))
    return draw_panel(f"Trained bank {report.bank.card.label}", _bank_line(report.bank), parts)


def training_curves(report: TrainBankReport) -> list[TrainingCurve]:
    """The curves of a training as they are drawn, one per member."""
    return [
        TrainingCurve(
            loss=tuple(p.loss for p in curve),
            macro_f1=tuple(p.macro_f1 or 0.0 for p in curve),
            accuracy=tuple(p.accuracy or 0.0 for p in curve),
            best_epoch=best,
        )
        for curve, best in zip(report.curves, report.best_epochs, strict=True)
    ]


def evaluation_html(report: EvalReport) -> str:
    """An evaluation's table: a row per figure, a column per method."""
    head, rows = table_rows(report)
    parts = [html_table(head, rows)]
    if report.notes:
        parts.append(draw_note("Notes:", report.notes))
    subtitle = f"{counted(report.settings.seeds, 'seed')}, {report.model}, {report.seconds:.1f} s"
    return draw_panel(f"Evaluation on {report.dataset}", subtitle, parts)


def export_html(report: ExportReport) -> str:
    """What was exported, and what the export does not hold."""
    parts = []
    if report.classes:
        rows = [[name, f"{n:,}"] for name, n in report.classes.items()]
        parts.append(html_table(("class", "objects"), rows))
    if report.left_out:
        items = [f"{x.reason}: {x.count:,}, such as {x.example}" for x in report.left_out]
        parts.append(draw_note("Left out:", items))
    if report.notes:
        parts.append(draw_note("Notes:", report.notes))
    what = f"{counted(report.n_objects, 'object')} of {counted(report.n_images, 'image')}"
    return draw_panel(f"Exported {report.what} as {report.format}", f"{what} in {report.path}", parts)


def store_html(store: VectorStore, model: str) -> str:
    """What a store holds: datasets, classes, banks. When it cannot be read the panel says why."""
    title = f"samdb store {store.address}"
    try:
        return draw_panel(title, f"model {model}", _store_parts(store))
    except SamdbError as exc:
        return draw_panel(title, f"model {model}", [draw_note(f"It cannot be read: {exc}")])


def _store_parts(store: VectorStore) -> list[str]:
    datasets = count_datasets(store)
    if not datasets:
        return [draw_note("It is empty: ingest a folder of images.")]
    parts = [_datasets_table(datasets)]
    classes = list(count_values(store, ("class_name",), ())["class_name"].items())
    if classes:
        named = ", ".join(f"{name} ({n:,})" for name, n in classes[:_MOST_CLASSES])
        more = f", and {len(classes) - _MOST_CLASSES:,} more" if len(classes) > _MOST_CLASSES else ""
        parts.append(draw_text(f"Segments with a class: {named}{more}"))
    banks = list_banks(store)
    if banks:
        parts.append(_banks_table(banks))
    left_out = store.count(IMAGES, (Condition("status", "=", ("quarantined",)),))
    if left_out:
        parts.append(draw_note(f"{counted(left_out, 'image')} quarantined: they have no segments."))
    return parts


def _datasets_table(datasets: Sequence[DatasetCount]) -> str:
    rows = [
        (
            d.name,
            ", ".join(f"{s.name or 'no split'} ({s.n_images:,})" for s in d.splits),
            f"{d.n_images:,}",
            f"{d.n_segments:,}",
        )
        for d in datasets
    ]
    return html_table(("dataset", "splits", "images", "segments"), rows, left=("splits",))


def _banks_table(banks: Sequence[BankListing]) -> str:
    rows = [
        (
            b.card.label + (" (active)" if b.active else ""),
            b.card.recipe,
            f"{len(b.card.classes):,}",
            f"{b.card.n_prototypes:,}",
            b.card.created_at,
        )
        for b in banks
    ]
    return html_table(("bank", "recipe", "classes", "prototypes", "made"), rows, left=("recipe",))


def _bank_line(report: BuildBankReport) -> str:
    card, state = report.card, "active" if report.active else "not active"
    made_of = f"{card.n_prototypes:,} prototypes of {card.recipe!r} vectors"
    return f"{made_of}, {state}, {report.seconds:.1f} s"


def _bank_parts(report: BuildBankReport) -> list[str]:
    rows: list[Sequence[str]] = [
        (
            c.class_name,
            f"{c.n_segments:,}",
            f"{c.n_prototypes:,}",
            f"{c.threshold:.3f}",
            "-" if c.held_out_f1 is None else f"{c.held_out_f1:.2f}",
        )
        for c in report.classes
    ]
    if report.n_background:
        counts = (f"{report.n_background:,}", f"{report.n_background_prototypes:,}")
        rows.append(("background", *counts, "-", "-"))
    parts = [html_table(("class", "segments", "centres", "threshold", "held-out F1"), rows)]
    if report.skipped:
        parts.append(draw_note("Left out classes:", [f"{c}: {why}" for c, why in report.skipped.items()]))
    if not report.calibrated:
        parts.append(draw_note("Too few images to hold any out: no threshold rejects anything."))
    if report.n_without_embedding:
        left_out = counted(report.n_without_embedding, "labelled segment")
        parts.append(draw_note(f"{left_out} without a {report.card.recipe!r} embedding"))
    return parts
