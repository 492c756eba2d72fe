"""Classify an image: its segments, and what the bank says of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samdb.core.bank import BankCard, Prediction
from samdb.core.sample import Label, Sample
from samdb.core.segment import Segment
from samdb.pipelines.classify_segments import check_bank_fits, classify_segments
from samdb.pipelines.cutting import CutSettings, PromptMode, cut_image
from samdb.pipelines.projecting import fitted
from samdb.ports import Segmenter, VectorStore


@dataclass(frozen=True, slots=True)
class ClassifiedSegment:
    """A segment and what the bank says of it; with given boxes also the label it came from."""

    segment: Segment
    prediction: Prediction
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class ClassifiedImage:
    """All segments of one image, and what could not be cut."""

    sample: Sample
    size_hw: tuple[int, int]
    segments: tuple[ClassifiedSegment, ...]
    problems: tuple[str, ...]


def classify_image(
    sample: Sample,
    pixels: NDArray[np.uint8],
    segmenter: Segmenter,
    store: VectorStore,
    card: BankCard,
    prompts: PromptMode = "auto",
) -> ClassifiedImage:
    """Classify the segments of one RGB image (H, W, 3); nothing is stored.

    With `prompts` "labels" only the labelled wholes are answered, each with its label; their parts are not
    asked about. Raises BankError when the bank was made for another model.
    """
    check_bank_fits(card, model=segmenter.model, fingerprint=segmenter.fingerprint)
    segmenter = fitted(segmenter, store, card)
    image = segmenter.encode(pixels)
    cut = cut_image(segmenter, image, sample, CutSettings(prompts, (card.recipe,)), run="classify")
    segments: Sequence[Segment] = cut.segments
    if prompts == "labels":
        segments = [s for s in segments if s.label_source in ("box", "mask")]
    predictions = classify_segments(store, segments, card, fingerprint=segmenter.fingerprint)
    labels = {label.label_id: label for label in sample.labels}
    return ClassifiedImage(
        sample=sample,
        size_hw=image.size_hw,
        segments=tuple(
            ClassifiedSegment(s, p, labels.get(s.label_id) if s.label_id is not None else None)
            for s, p in zip(segments, predictions, strict=True)
        ),
        problems=cut.problems,
    )
