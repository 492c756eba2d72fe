"""What one measured process is told, and what it answers: plain data, sent as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

Benchmark: TypeAlias = Literal["ingest", "auto", "classify", "encoder", "decoder"]
Task: TypeAlias = Literal["measure", "flops", "gemm", "bank"]
Side: TypeAlias = Literal["samdb", "stock"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The work of one process.

    `mode` is samdb's way to make automatic masks (`exact`, `fast`; empty where it makes none). `images` are
    the timed photographs of `auto`, `classify` and `encoder`; `limit` those of `ingest`. `checkpoint` empty
    means random weights. `batch_sizes` are what `encoder` and `decoder` are timed with. `masks_file` is where
    the masks found are written, `store` the store with a bank; empty when not wanted.
    """

    task: Task
    benchmark: Benchmark
    side: Side
    data: str
    split: str
    limit: int
    images: tuple[str, ...]
    model: str
    checkpoint: str
    device: str
    precision: str
    mode: str = ""
    points_per_side: int = 32
    batch_sizes: tuple[int, ...] = (1,)
    store: str = ""
    masks_file: str = ""
    cache: str = ""

    @property
    def name(self) -> str:
        """How the side is called in the table."""
        return f"{self.side} {self.mode}".strip()

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        for name in ("images", "batch_sizes"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a process measured.

    `seconds` is the time of each image (of `ingest`: of the run, divided by its images; of `decoder`: per
    prompt) by batch size, which is "" where there is only one. `n_images` were timed (of `encoder` and
    `decoder`: how often each batch was); `n_masks` are the masks of each (of `ingest`: of all); `n_encoded`
    and `n_prompts` what the networks were asked during the timed work, where the side counts it. `peak_mb` is
    the most memory the process held until the work was done, `baseline_mb` what it held before the model was
    loaded, imports included; `cpu_s` the CPU time of the timed work. `encoder` is the encoder's runtime and
    precision (`openvino-bf16`), `precision` the decoder's.
    """

    seconds: dict[str, list[float]]
    n_images: int
    n_masks: list[int]
    n_encoded: int
    n_prompts: int
    peak_mb: float
    baseline_mb: float
    cpu_s: float
    encoder: str
    precision: str
    threads: int


@dataclass(frozen=True, slots=True)
class Flops:
    """Floating point operations, a multiply-add counted as two: of the encoder for one image, of one prompt,
    and of all that the benchmark does for an image, on average; None where that follows from the other two
    and what the timed runs asked.
    """

    encoder: float
    prompt: float
    image: float | None
