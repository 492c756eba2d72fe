"""What the API is asked, checked at the door."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from samdb.core.runs import check_runs
from samdb.server.examples import SEGMENT_ID

#: a uuid as samdb writes it
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_LARGEST = 1e6


def _clean(text: str) -> str:
    """Text that can be stored: whole Unicode, no NUL."""
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("must be text without NUL and without half characters")
    return text


Text: TypeAlias = Annotated[str, Field(max_length=300), AfterValidator(_clean)]
Uuid: TypeAlias = Annotated[str, Field(pattern=UUID_PATTERN, examples=[SEGMENT_ID])]
Filter: TypeAlias = Annotated[
    str, Field(max_length=500, examples=["class_name=car", "area_px>=2000"]), AfterValidator(_clean)
]
#: px of an image; nothing an image can have is further out
Px: TypeAlias = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST, allow_inf_nan=False)]
BoxIn: TypeAlias = Annotated[
    tuple[Px, Px, Px, Px],
    Field(
        description="[x0, y0, x1, y1] in px of the upright image, x1 and y1 exclusive",
        examples=[[128, 180, 288, 270]],
    ),
]
PointIn: TypeAlias = Annotated[tuple[Px, Px], Field(examples=[[200, 220]])]
#: `where` of a query string, repeatable
Where: TypeAlias = Annotated[
    list[Filter],
    Query(
        max_length=32,
        description="only what matches: `key=value`, `key=a,b`, `key!=value`, `key>=number`; all must hold",
        examples=[["class_name=car", "area_px>=2000"]],
    ),
]


class Body(BaseModel):
    """Base of all bodies: a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MaskIn(Body):
    """A mask of the whole image as COCO's compressed run lengths."""

    size: tuple[Annotated[int, Field(ge=1, le=100_000)], Annotated[int, Field(ge=1, le=100_000)]] = Field(
        description="height and width, px"
    )
    counts: Annotated[str, Field(min_length=1, max_length=2_000_000, pattern=r"^[0-o]+$")]

    @model_validator(mode="after")
    def _covers_the_image(self) -> MaskIn:
        check_runs(self.counts, self.size[0] * self.size[1])
        return self


class _OnImage(Body):
    """Something on a stored image or an upload."""

    image_key: Uuid | None = Field(None, description="a stored image")
    upload_id: Uuid | None = Field(None, description="an uploaded image")


class ExampleIn(_OnImage):
    """An example: a stored segment, or what an image shows in a box, at a point or under a mask."""

    segment_id: Uuid | None = None
    box_xyxy: BoxIn | None = None
    point_xy: PointIn | None = None
    mask: MaskIn | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> ExampleIn:
        images = sum(v is not None for v in (self.image_key, self.upload_id))
        places = sum(v is not None for v in (self.box_xyxy, self.point_xy, self.mask))
        if self.segment_id is not None and images == places == 0:
            return self
        if self.segment_id is None and images == places == 1:
            return self
        raise ValueError(
            "give segment_id alone, or image_key or upload_id with one of box_xyxy, point_xy and mask"
        )


class SearchIn(Body):
    """A search: like any of the positives, like none of the negatives."""

    positives: Annotated[list[ExampleIn], Field(min_length=1, max_length=64)]
    negatives: Annotated[list[ExampleIn], Field(max_length=64)] = []
    where: Annotated[list[Filter], Field(max_length=32)] = []
    recipe: Text | None = Field(
        None, description="the embedding to compare; default: `default_recipe` of /api/info"
    )
    per_image: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="at most so many hits of one image"
    )
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    offset: Annotated[int, Field(ge=0, le=10_000)] = 0


class MasksIn(_OnImage):
    """A prompt: a box, points (of the object, or with foreground false of what is left out), or both."""

    box_xyxy: BoxIn | None = None
    points: Annotated[list[PointIn], Field(max_length=64)] = []
    foreground: Annotated[list[bool], Field(max_length=64)] | None = Field(
        None, description="for each point; default: all are of the object"
    )

    @model_validator(mode="after")
    def _one_image_and_a_prompt(self) -> MasksIn:
        if (self.image_key is None) == (self.upload_id is None):
            raise ValueError("give image_key or upload_id")
        if self.box_xyxy is None and not self.points:
            raise ValueError("give box_xyxy or points")
        if self.foreground is not None and len(self.foreground) != len(self.points):
            raise ValueError(f"{len(self.points)} points but {len(self.foreground)} foreground marks")
        return self


class ClassifyIn(_OnImage):
    """An image to classify: everything that SAM sees on it, or what lies in the boxes."""

    bank: Text | None = Field(None, description="name or name@version; default: the active bank")
    all_segments: bool = Field(False, description="also the parts that another segment answers for")
    boxes_xyxy: Annotated[list[BoxIn], Field(max_length=256)] = []

    @model_validator(mode="after")
    def _one_image(self) -> ClassifyIn:
        if (self.image_key is None) == (self.upload_id is None):
            raise ValueError("give image_key or upload_id")
        return self


class LabelsIn(Body):
    """Segments to name; null takes their class."""

    segment_ids: Annotated[list[Uuid], Field(min_length=1, max_length=10_000)]
    class_name: Text | None


class UndoIn(Body):
    """A change to take back."""

    undo_id: Uuid


class LoginIn(Body):
    """The API key."""

    key: Annotated[str, Field(max_length=1000)]
