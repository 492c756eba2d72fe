"""`samdb bank`: build, list, show, activate, delete, export, import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samdb.cli import bank_train, options, show
from samdb.cli.progress import stage_bar
from samdb.core.bank import BankCard
from samdb.core.points import PayloadValue

if TYPE_CHECKING:
    from samdb.api import Database
    from samdb.pipelines.build_bank import BuildBankReport

app = typer.Typer(help="Memory banks: prototypes per class, to classify with.", no_args_is_help=True)

Bank = Annotated[str, typer.Argument(help="A bank, as NAME or NAME@VERSION.")]


@app.command()
def build(
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Its name; each build is a new version.")
    ] = "default",
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="RECIPE", help="The embedding to compare.", show_default="blend"),
    ] = None,
    k: Annotated[int, typer.Option("--k", min=1, help="Centres per class, at most.")] = 51,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="CLASS", help="Leave a class out. Repeat it.")
    ] = None,
    min_segments: Annotated[
        int, typer.Option("--min-segments", min=1, help="Leave out classes with fewer segments.")
    ] = 1,
    min_area_px: Annotated[
        int, typer.Option("--min-area-px", min=0, help="Leave out segments smaller than this.")
    ] = 0,
    parts: Annotated[
        bool, typer.Option("--parts/--no-parts", help="Make centres of parts too, apart from the wholes'.")
    ] = True,
    include_named: Annotated[
        bool, typer.Option("--include-named", help="Learn the classes that `samdb discover` named, too.")
    ] = False,
    background: Annotated[
        bool,
        typer.Option("--background/--no-background", help="Also learn what is no object, if such is stored."),
    ] = True,
    whiten: Annotated[
        bool,
        typer.Option("--whiten/--no-whiten", help="Make the classes round first, by a linear projection."),
    ] = False,
    where: options.Filters = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bank.")] = 0,
    activate: Annotated[
        bool, typer.Option("--activate/--no-activate", help="Classify with it from now on.")
    ] = True,
    store: options.Store = None,
    model: options.Model = None,
) -> None:
    """Build a bank from the labelled segments in the store."""
    from samdb import api

    with _database(store, model) as db, stage_bar() as tell:
        report = db.build_bank(
            name=name,
            recipe=recipe or api.DEFAULT_RECIPE,
            k=k,
            min_segments=min_segments,
            min_area_px=min_area_px,
            exclude=exclude or (),
            where=where or (),
            parts=parts,
            named=include_named,
            background=background,
            whiten=whiten,
            seed=seed,
            activate=activate,
            on_progress=tell,
        )
    show_new_bank(report, asked_for_background=background)


def show_new_bank(report: BuildBankReport, *, asked_for_background: bool) -> None:
    """Print what a new bank was learned from and how it did."""
    rows = [
        [
            c.class_name,
            f"{c.n_segments:,}",
            str(c.n_prototypes),
            f"{c.threshold:.3f}",
            "-" if c.held_out_f1 is None else f"{c.held_out_f1:.2f}",
        ]
        for c in report.classes
    ]
    numbers = ("segments", "centres", "threshold", "held-out F1")
    show.table(("class", *numbers), rows, right=numbers)
    for class_name, reason in report.skipped.items():
        show.say(f"left out {class_name}: {reason}")
    if report.n_without_embedding:
        show.warn(
            f"left out {report.n_without_embedding:,} segments without a {report.card.recipe!r} embedding"
        )
    if report.n_background:
        show.say(f"background: {report.n_background:,} segments, {report.n_background_prototypes} centres")
    elif asked_for_background:
        show.warn(
            "No background was learned, so `classify` will name things that are of no class. Ingest some "
            "images with --prompts both --points-per-side 16, and build again."
        )
    if not report.calibrated:
        show.warn("Too few images to hold any out: no threshold rejects anything.")
    state = "active" if report.active else "not active"
    show.done(
        f"bank {report.card.label}: {report.card.n_prototypes} prototypes of {report.card.recipe!r} vectors, "
        f"{state} ({report.seconds:.1f} s)"
    )


app.command("train")(bank_train.train)


@app.command("list")
def list_(as_json: options.AsJson = False, store: options.Store = None, model: options.Model = None) -> None:
    """List the banks in the store, and the one that comes with samdb."""
    from samdb.api.answering import all_banks

    with _database(store, model) as db:
        found = all_banks(db.store, db.settings.model)
    if as_json:
        for item in found:
            show.json_line({"active": item.active, "built_in": item.built_in, **_record(item.card)})
        return
    if not found:
        show.say("there is no bank yet: samdb bank build")
        return
    rows = [
        [
            "*" if b.active else "",
            f"{b.card.label} (comes with samdb)" if b.built_in else b.card.label,
            b.card.recipe,
            str(len(b.card.classes)),
            str(b.card.n_prototypes),
            _metric(b.card, "held_out_macro_f1"),
            b.card.created_at,
        ]
        for b in found
    ]
    numbers = ("classes", "prototypes", "held-out F1")
    show.table(("", "bank", "recipe", *numbers, "made"), rows, right=numbers)


@app.command("show")
def show_(
    bank: Annotated[
        str | None, typer.Argument(help="NAME or NAME@VERSION.", show_default="the active one")
    ] = None,
    as_json: options.AsJson = False,
    store: options.Store = None,
    model: options.Model = None,
) -> None:
    """Show a bank: its classes, thresholds, settings and how it did on held-out images."""
    from samdb.api.answering import answering

    with _database(store, model) as db:
        card = answering(db.store, db.settings.model, bank).card
    if as_json:
        show.json_line(_record(card))
        return
    facts = {
        "bank": card.label,
        "made": card.created_at,
        "model": card.model,
        "recipe": card.recipe,
        **({"head": card.head, "made of": ", ".join(card.inputs)} if card.head else {}),
        "prototypes": str(card.n_prototypes),
        "neighbours that vote": str(card.k_neighbours),
        "vote temperature": f"{card.vote_temperature:g}",
        **{
            name: f"{v:g}" if v == int(v) else f"{v:.3f}"
            for name, v in card.metrics.items()
            if "/" not in name
        },
        **{name: str(v) for name, v in card.settings.items() if v is not None},
    }
    show.table(("", ""), [[name.replace("_", " "), value] for name, value in facts.items()])
    rows = [
        [
            c,
            f"{card.class_counts.get(c, 0):,}",
            f"{card.thresholds.get(c, 0):.3f}",
            _metric(card, f"held_out_f1/{c}"),
        ]
        for c in card.classes
    ]
    numbers = ("segments", "threshold", "held-out F1")
    show.table(("class", *numbers), rows, right=numbers)


@app.command()
def activate(bank: Bank, store: options.Store = None, model: options.Model = None) -> None:
    """Classify with this bank from now on. Stored segments are projected first, if it was trained."""
    with _open(store, model) as db, stage_bar() as tell:
        card = db.activate_bank(bank, lambda done, total: tell("project", done, total))
    show.done(f"bank {card.label} is active")


@app.command()
def delete(
    bank: Bank,
    force: Annotated[bool, typer.Option("--force", help="Even if it is the active one.")] = False,
    store: options.Store = None,
    model: options.Model = None,
) -> None:
    """Delete one version of a bank, named NAME@VERSION."""
    from samdb.pipelines.bank_versions import delete_bank

    with _open(store, model) as db:
        card = delete_bank(db.store, bank, force=force)
    show.done(f"bank {card.label} is deleted")


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    bank: Annotated[
        str | None,
        typer.Option("--bank", metavar="BANK", help="NAME or NAME@VERSION.", show_default="the active one"),
    ] = None,
    store: options.Store = None,
    model: options.Model = None,
) -> None:
    """Write a bank to a file."""
    from samdb.api.answering import answering
    from samdb.pipelines.bank_versions import export_bank

    with _database(store, model) as db:
        source = answering(db.store, db.settings.model, bank)
        card = export_bank(source.store, file, source.card.label)
    show.done(f"bank {card.label} is in {file}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file that `samdb bank export` wrote.")],
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Another name for it.")] = None,
    activate: Annotated[
        bool, typer.Option("--activate/--no-activate", help="Classify with it from now on.")
    ] = False,
    store: options.Store = None,
    model: options.Model = None,
) -> None:
    """Take a bank from a file; a new store is laid out for it."""
    from samdb.pipelines.bank_versions import import_bank

    with _database(store, model) as db, stage_bar() as tell:
        db.prepare()
        card = import_bank(db.store, file, name=name)
        if activate:
            card = db.activate_bank(card.label, lambda done, total: tell("project", done, total))
    show.done(f"bank {card.label} is imported")


def _database(store: str | None, model: str | None) -> Database:
    from samdb import api
    from samdb.config import load_settings

    return api.Database(load_settings(options.overrides(store=store, model=model)))


def _open(store: str | None, model: str | None) -> Database:
    db = _database(store, model)
    db.check()
    return db


def _record(card: BankCard) -> dict[str, PayloadValue]:
    return {
        "bank": card.label,
        "name": card.name,
        "version": card.version,
        "model": card.model,
        "fingerprint": card.fingerprint,
        "recipe": card.recipe,
        "head": card.head or None,
        "inputs": list(card.inputs),
        "classes": list(card.classes),
        "class_counts": dict(card.class_counts),
        "n_prototypes": card.n_prototypes,
        "k_neighbours": card.k_neighbours,
        "vote_temperature": card.vote_temperature,
        "thresholds": dict(card.thresholds),
        "metrics": dict(card.metrics),
        "settings": dict(card.settings),
        "created_at": card.created_at,
    }


def _metric(card: BankCard, name: str) -> str:
    return f"{card.metrics[name]:.2f}" if name in card.metrics else "-"
