"""Pieces: masks on their way to segments, and who is asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from samdb.core.prompt import MaskCandidate, Prompt
from samdb.core.sample import Label
from samdb.ports import Description, EncodedImage


@dataclass(frozen=True, slots=True)
class Piece:
    """A mask on its way to a segment. `prompt` and its output name it within the image."""

    candidate: MaskCandidate
    prompt: str
    label: Label | None = None
    is_labelled_whole: bool = False
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pieces:
    """SAM's answers for one image: the masks, what it says of them, and what was left out and why."""

    pieces: tuple[Piece, ...]
    description: Description
    problems: tuple[str, ...]


class Sam(Protocol):
    """What of a segmenter answers questions about an encoded image."""

    def prompt(self, image: EncodedImage, prompts: Sequence[Prompt]) -> list[list[MaskCandidate]]:
        """For each prompt its mask candidates, the single-mask output first."""

    def automatic(self, image: EncodedImage) -> list[MaskCandidate]:
        """All masks of the image, found from a grid of points."""

    def describe(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> Description:
        """What SAM has to say of the masks."""
