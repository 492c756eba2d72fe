"""What a probe leaves behind: the plots as PNG, a page that holds them all, and the numbers as JSON."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from samdb.core.points import PayloadValue
from samdb.errors import ConfigError
from samdb.pipelines.probe import ProbeReport, SimilarityPicture
from samdb.pipelines.probe_figures import CosineCounts
from samdb.reports.heat_overlay import draw_similarity
from samdb.reports.latent_map import draw_map
from samdb.reports.plot_theme import DARK, LIGHT, PlotTheme
from samdb.reports.probe_page import Picture, Section, draw_page
from samdb.reports.similarity_plots import CosineSeries, draw_histograms, draw_matrix
from samdb.reports.umap_layout import has_umap, umap_layout


def probe_record(report: ProbeReport) -> dict[str, PayloadValue]:
    """The numbers of a probe as plain JSON; what could not be measured is null."""
    pairs, parts = report.pairs, report.whole_part
    return {
        "recipe": report.recipe,
        "n_segments": report.n_segments,
        "n_stored": report.n_stored,
        "n_images": report.n_images,
        "within_median": _short(pairs.within.median),
        "between_median": _short(pairs.between.median),
        "n_within": pairs.within.n,
        "n_between": pairs.between.n,
        "auroc": _short(pairs.auroc),
        "balanced_auroc": _short(pairs.balanced_auroc),
        "classes": [
            {
                "class_name": c.class_name,
                "n_segments": c.n_segments,
                "within_median": _short(c.within.median),
                "between_median": _short(c.between.median),
                "auroc": _short(c.auroc),
            }
            for c in pairs.classes
        ],
        "mean_cosine": [[_short(float(v)) for v in row] for row in pairs.mean_cosine],
        "whole_part": None
        if parts is None
        else {
            "n_parts": parts.n,
            "own_whole_median": _short(parts.own.median),
            "same_class_median": _short(parts.same_class.median),
            "other_class_median": _short(parts.other_class.median),
            "own_auroc": _short(parts.own_auroc),
            "class_auroc": _short(parts.class_auroc),
        },
        "pca_explained": [_short(v) for v in report.latent_map.explained],
    }


def write_probe(report: ProbeReport, out: Path, picture: SimilarityPicture | None = None) -> list[Path]:
    """Write `probe.html`, `probe.json` and the pictures into a folder; returns all that was written.

    Raises ConfigError when the folder cannot be written.
    """
    drawn: dict[str, Picture] = {}
    sections = [_pairs(report, drawn), _matrix(report, drawn), *_maps(report, drawn), _parts(report, drawn)]
    if picture is not None:
        sections.insert(0, _similarity(picture, drawn))
    some = "" if report.n_segments == report.n_stored else f", a sample of {report.n_stored:,}"
    subtitle = (
        f"{report.recipe} vectors of {report.n_segments:,} labelled whole segments{some}, "
        f"in {report.n_images:,} images"
    )
    page = draw_page("The latent space", subtitle, [s for s in sections if s is not None])
    files = {f"{name}.png": shown.light for name, shown in drawn.items()}
    files["probe.json"] = json.dumps(probe_record(report), indent=1, allow_nan=False).encode()
    files["probe.html"] = page.encode("utf-8", "replace")
    return [_write(out / name, data) for name, data in files.items()]


def _pairs(report: ProbeReport, drawn: dict[str, Picture]) -> Section:
    pairs = report.pairs
    series = [_series("same class", pairs.within), _series("different classes", pairs.between)]
    title = f"Cosine of two segments of different images, {report.recipe}"
    drawn["histogram"] = _both(
        "Histograms of cosines within a class and between classes",
        lambda theme: draw_histograms(series, title, theme),
    )
    rows = [
        (c.class_name, f"{c.n_segments:,}", _text(c.within.median), _text(c.between.median), _text(c.auroc))
        for c in sorted(pairs.classes, key=lambda c: -c.n_segments)
    ]
    return Section(
        "Within a class and between classes",
        f"Two segments of one class have a median cosine of {_text(pairs.within.median)}, of two classes "
        f"{_text(pairs.between.median)}. A pair of one class is the closer one in {_percent(pairs.auroc)} of "
        f"all cases, and in {_percent(pairs.balanced_auroc)} when every class counts alike (AUROC; 50 % is "
        "chance). Pairs within one image are left out.",
        (drawn["histogram"],),
        (("class", "segments", "median within", "median to others", "AUROC"), *rows),
    )


def _matrix(report: ProbeReport, drawn: dict[str, Picture]) -> Section:
    classes = sorted(range(len(report.pairs.classes)), key=lambda i: -report.pairs.classes[i].n_segments)
    names = [report.pairs.classes[i].class_name for i in classes]
    counts = [report.pairs.classes[i].n_segments for i in classes]
    values = report.pairs.mean_cosine[np.ix_(classes, classes)]
    drawn["classes"] = _both(
        "Heat map of the mean cosine of each pair of classes",
        lambda theme: draw_matrix(values, names, counts, f"Mean cosine, {report.recipe}", theme),
    )
    return Section(
        "Class by class",
        "The mean cosine of each pair of classes. A class whose own field, on the diagonal, is no brighter "
        "than its row is not held together by this recipe; two classes whose field is bright are taken for "
        "each other.",
        (drawn["classes"],),
    )


def _maps(report: ProbeReport, drawn: dict[str, Picture]) -> list[Section]:
    found, by = report.latent_map, report.colour.replace("_name", "")
    names = tuple(
        f"component {i} ({share:.0%} of the variance)" for i, share in enumerate(found.explained, 1)
    )
    axes = (names[0], names[1])
    drawn["map_pca"] = _both(
        f"The segments on their first two principal components, coloured by {by}",
        lambda theme: draw_map(found.xy, found.values, f"Principal components, by {by}", axes, theme),
    )
    text = (
        f"Each dot is a segment, coloured by {by}. The two axes on which segments differ most explain "
        f"{sum(found.explained):.0%} of how they differ: what lies apart here is apart, what lies together "
        "may not be."
    )
    sections = [Section("Map: principal components", text, (drawn["map_pca"],))]
    if has_umap() and len(found.vectors) > 3:
        xy = umap_layout(found.vectors, seed=0)
        drawn["map_umap"] = _both(
            f"The segments laid out by UMAP, coloured by {by}",
            lambda theme: draw_map(xy, found.values, f"UMAP, by {by}", ("", ""), theme),
        )
        text = f"Neighbours stay neighbours; distances between groups mean little. Coloured by {by}."
        sections.append(Section("Map: UMAP", text, (drawn["map_umap"],)))
    return sections


def _parts(report: ProbeReport, drawn: dict[str, Picture]) -> Section | None:
    found = report.whole_part
    if found is None:
        return None
    series = [
        _series("its own whole", found.own),
        _series("a whole of its class", found.same_class),
        _series("a whole of another class", found.other_class),
    ]
    drawn["whole_part"] = _both(
        "Histograms of cosines of parts with wholes",
        lambda theme: draw_histograms(series, f"Cosine of a part with ..., {report.recipe}", theme),
    )
    return Section(
        "Whole and part",
        f"{found.n:,} parts. With its own whole a part has a median cosine of {_text(found.own.median)}, "
        f"with a whole of its class in another image {_text(found.same_class.median)}, with one of another "
        f"class {_text(found.other_class.median)}. Its own whole is the closer one in "
        f"{_percent(found.own_auroc)} of all cases; a stranger of its class is closer than one of another "
        f"class in {_percent(found.class_auroc)}.",
        (drawn["whole_part"],),
    )


def _similarity(picture: SimilarityPicture, drawn: dict[str, Picture]) -> Section:
    title = "Where the picture looks like the outlined object"
    out = io.BytesIO()
    draw_similarity(picture.pixels, picture.mask, picture.cosines, title).save(out, format="PNG")
    drawn["similarity"] = Picture("The photograph with a heat map of similarity over it", out.getvalue())
    low, high = float(picture.cosines.min()), float(picture.cosines.max())
    return Section(
        title,
        "Cosine of the features under the outlined mask with those of every cell of SAM's feature grid (64 x "
        f"64 cells): from {low:.2f} to {high:.2f}. The colours span what lies between the extremes.",
        (drawn["similarity"],),
    )


def _both(alt: str, draw: Callable[[PlotTheme], bytes]) -> Picture:
    return Picture(alt, draw(LIGHT), draw(DARK))


def _series(name: str, found: CosineCounts) -> CosineSeries:
    return CosineSeries(name, found.counts, found.median)


def _short(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 4)


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _write(path: Path, data: bytes) -> Path:
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as exc:
        raise ConfigError(f"cannot write {path} ({exc.strerror or exc}): choose another --out") from exc
    return path
