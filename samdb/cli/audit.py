"""`samdb audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samdb.cli import options, show

if TYPE_CHECKING:
    from samdb.pipelines.audit_findings import AuditReport
    from samdb.ports import VectorStore

_KINDS = {
    "label": "labels that neighbours dispute",
    "leak": "images in two splits",
    "duplicate": "images that are there twice",
    "near_duplicate": "images that are there nearly twice",
    "attribute": "frame attributes that neighbours dispute",
}


def audit(
    where: options.Filters = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="RECIPE", help="The embedding to compare.", show_default="blend"),
    ] = None,
    near: Annotated[
        float | None,
        typer.Option(
            "--near",
            min=0.0,
            max=1.0,
            metavar="COSINE",
            help="Images above this similarity are nearly the same.",
            show_default="0.95",
        ),
    ] = None,
    sample: Annotated[
        int, typer.Option("--sample", min=2, help="Look at so many segments, and images, at most.")
    ] = 50_000,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Show so many of each kind, and on the contact sheets.")
    ] = 40,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write audit.csv, labels.png and images.png there."),
    ] = None,
    as_json: options.AsJson = False,
    store: options.Store = None,
    model: options.Model = None,
) -> None:
    """Find wrong labels, duplicate images, leaks between splits and wrong frame attributes.

    A label is judged by segments of other images only. Nothing is changed in the store.
    """
    from dataclasses import replace

    from samdb import api
    from samdb.config import load_settings
    from samdb.core.where import parse_where
    from samdb.pipelines.audit import AuditRequest
    from samdb.pipelines.audit import audit as run_audit

    request = AuditRequest(recipe or api.DEFAULT_RECIPE, parse_where(where or ()), sample)
    if near is not None:
        request = replace(request, near=near)
    with api.Database(load_settings(options.overrides(store=store, model=model))) as db:
        db.check()
        report = run_audit(db.store, request)
        _print(report, limit, as_json=as_json)
        if out is not None:
            _write(db.store, report, out, limit)
    if report.n_segments < report.n_stored:
        show.warn(f"a sample: {report.n_segments:,} of {report.n_stored:,} segments; more with --sample")
    attributes = ", ".join(f"{key} of {n:,}" for key, n in report.n_attributes.items() if n)
    looked = f"looked at {report.n_segments:,} labels and {report.n_images:,} images"
    show.done(f"{looked} ({attributes})" if attributes else looked)


def _print(report: AuditReport, limit: int, *, as_json: bool) -> None:
    from samdb.pipelines.audit_files import finding_row
    from samdb.pipelines.audit_findings import FINDING_KINDS

    if as_json:
        for finding in report.findings:
            box = finding.box_xyxy
            typed = {"score": round(finding.score, 4), "box": None if box is None else list(box)}
            show.json_line({**finding_row(finding), **typed})
        return
    shown = [f for kind in FINDING_KINDS for f in report.of(kind)[:limit]]
    rows = [
        [
            f.kind,
            f"{f.score:.3f}",
            f.label or "-",
            f.suggested or f.other_image or "-",
            "-" if f.box_xyxy is None else ",".join(f"{v:.0f}" for v in f.box_xyxy),
            f.image_id,
        ]
        for f in shown
    ]
    show.table(("kind", "score", "label", "suggested", "box", "image"), rows, right=("score",))
    for kind, what in _KINDS.items():
        n = sum(f.kind == kind for f in report.findings)
        show.say(f"{n:,} {what}" + (f" ({limit} shown)" if n > limit else ""))


def _write(store: VectorStore, report: AuditReport, out: Path, limit: int) -> None:
    from samdb.pipelines.audit_files import write_csv, write_image_sheet, write_label_sheet

    write_csv(report.findings, out / "audit.csv")
    gone = write_label_sheet(store, report, out / "labels.png", limit)
    gone += write_image_sheet(store, report, out / "images.png", limit)
    show.problems([(f.image_id, "cannot be read any more") for f in gone], "Not on the pictures:")
    show.say(f"written: {out / 'audit.csv'}, {out / 'labels.png'}, {out / 'images.png'}")
