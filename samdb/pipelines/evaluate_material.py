"""Everything an evaluation reads from the store, once, and what it must do without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from samdb.bank.table import SegmentTable
from samdb.core.points import Condition
from samdb.errors import BankError, ConfigError
from samdb.pipelines.bank_source import LABELLED
from samdb.pipelines.evaluate_automatic import AutomaticScene
from samdb.pipelines.evaluate_data import (
    WHOLE,
    Segments,
    Splits,
    find_splits,
    read_automatic,
    read_labels,
    read_train,
    recipes_of,
)
from samdb.pipelines.evaluate_report import EvalSettings
from samdb.ports import VectorStore
from samdb.stores.migrate import stored_params

#: fewer boxes than this say little of a class: it is judged only when it is asked for
_ENOUGH_BOXES: Final = 20
PRIOR_RECIPE: Final = "neck_box"


@dataclass(frozen=True, slots=True)
class Material:
    """What was read.

    `val` are the labelled boxes of `classes` to judge by, `hidden_val` those of `hidden` classes, `gallery`
    what is searched. `train` maps a recipe (several joined by +) to what its banks learn from. `scene` is
    None, with `no_scene` as the reason, where there are no automatic masks; `scene_recipes` have vectors
    there.
    """

    splits: Splits
    model: str
    classes: tuple[str, ...]
    hidden: tuple[str, ...]
    val: Segments
    hidden_val: Segments
    gallery: Segments
    train: Mapping[str, SegmentTable]
    scene: AutomaticScene | None
    no_scene: str
    scene_recipes: frozenset[str]
    notes: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)


def read_material(store: VectorStore, settings: EvalSettings, more_recipes: frozenset[str]) -> Material:
    """Read what `settings` ask for; `more_recipes` are those of banks to compare.

    Raises ConfigError when splits or classes are not there, BankError when embeddings are not.
    """
    notes: list[str] = []
    splits = find_splits(store, settings.dataset, settings.train_split, settings.val_split)
    if splits.by_hash:
        notes.append(f"{splits.dataset} has one split: one image in five, chosen by hash, is judged by")
    if splits.leaked:
        notes.append(f"{len(splits.leaked)} images to judge by are also learned from (same file): left out")
    recipes = _recipes(store, settings.recipe, splits, more_recipes, notes)

    everything, lacking = read_labels(store, splits.val, recipes, settings.group_by)
    everything = everything.take(splits.in_val(everything.image_keys))
    gallery, _ = read_labels(store, splits.train, recipes, settings.group_by)
    gallery = gallery.take(splits.in_train(gallery.image_keys))
    if lacking:
        notes.append(f"{lacking} labelled boxes lack one of {', '.join(recipes)}: left out for all methods")
    large = everything.take(everything.area_px2 >= settings.min_box_px2)
    if not len(large) or not len(gallery):
        side = "to judge by" if not len(large) else "to learn from"
        if splits.leaked and not len(everything):
            raise BankError(
                f"no image to judge by is left: the files of {len(splits.leaked)} are learned from, too; "
                "choose other splits"
            )
        raise BankError(
            f"no labelled box {side} is left with {', '.join(recipes)}: ingest both splits with "
            f"--recipes {','.join(recipes)}, or lower --min-box-px2"
        )
    classes = _classes(settings, large, gallery, notes)
    hidden = _hidden(settings, classes, large, notes)
    train = {
        recipe: read_train(store, splits, recipe, parts=settings.parts)
        for recipe in recipes
        if recipe in (settings.recipe, PRIOR_RECIPE)
    }
    if settings.train and len(settings.train_recipes) > 1:
        read = settings.train_recipes
        train["+".join(read)] = read_train(store, splits, *read, parts=settings.parts)
    scene, no_scene, scene_recipes = _scene(store, settings, splits, recipes, everything, classes)
    table = train[settings.recipe]
    if not table.has_background:
        notes.append("no background is known in what is learned from: ingest it with --prompts both")
    return Material(
        splits=splits,
        model=next(iter(store.facet("segments", "model", (LABELLED, *splits.val)))),
        classes=classes,
        hidden=hidden,
        val=large.of_classes(classes),
        hidden_val=large.of_classes(hidden),
        gallery=gallery,
        train=train,
        scene=scene,
        no_scene=no_scene,
        scene_recipes=scene_recipes,
        notes=tuple(notes),
        counts={
            "train_images": len(set(table.image_keys)),
            "train_segments": len(table),
            "train_background": sum(name is None for name in table.class_names),
            "gallery": len(gallery),
            "val_images": len(set(everything.image_keys)),
            "val_boxes": len(large.of_classes(classes)),
            "open_set_boxes": len(large.of_classes(hidden)),
            "automatic_images": len(set(scene.masks.image_keys)) if scene else 0,
            "automatic_masks": len(scene.masks) if scene else 0,
            "automatic_labels": int(scene.counts.sum()) if scene else 0,
        },
    )


def _recipes(
    store: VectorStore, recipe: str, splits: Splits, more: frozenset[str], notes: list[str]
) -> tuple[str, ...]:
    held = stored_params(store)
    if held is not None and recipe not in held.vectors:
        raise ConfigError(f"unknown recipe {recipe!r}: choose from {', '.join(sorted(held.vectors))}")
    wanted = tuple(dict.fromkeys((recipe, PRIOR_RECIPE, *sorted(more))))
    stored = Counter(wanted)
    for side in (splits.train, splits.val):
        stored &= recipes_of(store, (LABELLED, WHOLE, *side), wanted)
    for name in (recipe, *sorted(more)):
        if not stored[name]:
            how = (
                f"ingest again with --recipes {name}" if name != "proj" else "activate the bank that makes it"
            )
            raise BankError(f"one of the splits has no {name!r} embedding: {how}, or choose another one")
    if not stored[PRIOR_RECIPE]:
        notes.append(
            f"the prior work's recipe {PRIOR_RECIPE!r} is not stored in both splits: it is not compared; "
            f"ingest again with --recipes {recipe},{PRIOR_RECIPE}"
        )
    return tuple(name for name in wanted if stored[name])


def _classes(settings: EvalSettings, large: Segments, gallery: Segments, notes: list[str]) -> tuple[str, ...]:
    counts, learned = Counter(large.labels), set(gallery.labels)
    strangers = [c for c in settings.classes if not counts[c] or c not in learned]
    if strangers:
        there = ", ".join(sorted(c for c in counts if c in learned))
        raise ConfigError(
            f"no labelled box of {', '.join(strangers)} both to learn from and (at least "
            f"{settings.min_box_px2:g} px²) to judge by: there is {there}"
        )
    if settings.classes:
        return settings.classes
    known = [c for c in sorted(counts, key=lambda c: (-counts[c], c)) if c in learned]
    if not known:
        raise ConfigError("what is learned from and what is judged by have no class in common: choose splits")
    enough = tuple(c for c in known if counts[c] >= _ENOUGH_BOXES)
    rare = [c for c in counts if c not in enough]
    if enough and rare:
        listed = ", ".join(f"{c} ({counts[c]})" for c in rare)
        notes.append(f"not judged, too few boxes or unknown to train: {listed}; --classes judges them too")
    return enough or tuple(known)


def _hidden(
    settings: EvalSettings, classes: tuple[str, ...], large: Segments, notes: list[str]
) -> tuple[str, ...]:
    there = set(large.labels)
    hidden = tuple(c for c in dict.fromkeys(settings.open_set) if c in there)
    missing = [c for c in settings.open_set if c not in there]
    if missing and hidden:
        notes.append(f"open set: no box of {', '.join(missing)} to judge by")
    if set(classes) <= set(hidden):
        raise ConfigError("--open-set leaves no class to know: leave fewer out")
    return hidden


def _scene(
    store: VectorStore,
    settings: EvalSettings,
    splits: Splits,
    recipes: tuple[str, ...],
    labels: Segments,
    classes: tuple[str, ...],
) -> tuple[AutomaticScene | None, str, frozenset[str]]:
    grid = (Condition("prompt_kind", "=", ("grid",)), *splits.val)
    stored = recipes_of(store, grid, recipes)
    if settings.recipe not in stored:
        return None, "no automatic masks to judge by: ingest that split with --prompts both", frozenset()
    with_vectors = tuple(r for r in recipes if stored[r])
    masks, _ = read_automatic(store, splits.val, with_vectors, settings.group_by)
    masks = masks.take(splits.in_val(masks.image_keys))
    scene = AutomaticScene.of(masks, labels, classes, settings.min_box_px2)
    if not len(scene.masks) or not scene.counts.any():
        return None, "no automatic mask, or no label to be found, is large enough", frozenset()
    return scene, "", frozenset(with_vectors)
