"""Classify an image: its segments, and what the bank says of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samdb.core.bank import BankCard, Prediction
from samdb.core.sample import Label, Sample
from samdb.core.segment import Segment
from samdb.pipelines.classify_segments import check_bank_fits, classify_segments
from samdb.pipelines.cutting import CutSettings, PromptMode, cut_image
from samdb.pipelines.projecting import fitted
from samdb.pipelines.resolve import Resolved, resolve
from samdb.ports import Segmenter, VectorStore


@dataclass(frozen=True, slots=True)
class ClassifiedSegment:
    """A segment and what the bank says of it; with given boxes also the label it came from.

    It answers for `parts` others, or `answered_by` is the id of the segment that answers for it. `votes` is
    what the parts directly below it say (see `samdb.pipelines.resolve`).
    """

    segment: Segment
    prediction: Prediction
    label: Label | None = None
    answered_by: str | None = None
    parts: int = 0
    votes: Mapping[str | None, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClassifiedImage:
    """The segments of one image that answer, one per object, and what could not be cut.

    `hidden` are the others: parts of an object that answers, and what is the same object again.
    """

    sample: Sample
    size_hw: tuple[int, int]
    segments: tuple[ClassifiedSegment, ...]
    problems: tuple[str, ...]
    hidden: tuple[ClassifiedSegment, ...] = ()

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from samdb.pipelines.notebook_pictures import classified_html

        return classified_html(self)


def answer_order(prediction: Prediction) -> tuple[bool, float]:
    """To sort by: answers first, the surest at the top."""
    return (prediction.class_name is None, -prediction.score)


def answer_words(prediction: Prediction) -> str:
    """The answer in a word: `car`, `car|truck?` where they cannot be told apart, `(background)`."""
    if prediction.outcome == "ambiguous":
        return "|".join(prediction.classes) + "?"
    return prediction.class_name or f"({prediction.reason})"


def classify_image(
    sample: Sample,
    pixels: NDArray[np.uint8],
    segmenter: Segmenter,
    store: VectorStore,
    card: BankCard,
    prompts: PromptMode = "auto",
) -> ClassifiedImage:
    """Classify the segments of one RGB image (H, W, 3); nothing is stored.

    With `prompts` "labels" every labelled whole is answered, each with its label; their parts are not asked
    about. Else there is one answer per object. Raises BankError when the bank was made for another model.
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
    answers = [Resolved(p) for p in predictions]
    if prompts != "labels":
        answers = resolve(segments, predictions, card)
    found = [
        ClassifiedSegment(
            segment=s,
            prediction=a.prediction,
            label=labels.get(s.label_id) if s.label_id is not None else None,
            answered_by=a.answered_by,
            parts=a.parts,
            votes=a.votes,
        )
        for s, a in zip(segments, answers, strict=True)
    ]
    return ClassifiedImage(
        sample=sample,
        size_hw=image.size_hw,
        segments=tuple(s for s in found if s.answered_by is None),
        problems=cut.problems,
        hidden=tuple(s for s in found if s.answered_by is not None),
    )
