"""From what the processes measured to the figures that are printed: medians, rates, ratios."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from samdb.core.masks import Rle, mask_iou
from scripts.benchmark.plan import Flops, Measured
from scripts.benchmark.runs import Run

#: the same mask: at this IoU and above
MATCH_IOU = 0.95


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure of several rounds."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Median, least and most of at least one value."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Row:
    """One side at one batch size; per image, or per prompt for `decoder`.

    `seconds` is spread over the rounds, each round's figure being the median of its images. Memory is in MB.
    `encoder` is the encoder's runtime and precision, `precision` what all else runs in. `share_of_peak` is
    the time that the operations would take at the speed of the machine's measured matrix product, each part
    in its own precision, by the time they took. `matched` is the share of the stock masks that this side
    found too (IoU of at least .95). None is what cannot be told.
    """

    side: str
    batch: str
    encoder: str
    precision: str
    rounds: int
    seconds: Spread
    per_second: float
    cpu_s: float
    peak_mb: float
    baseline_mb: float
    masks: float | None
    gflop: float | None
    gflop_per_s: float | None
    share_of_peak: float | None
    matched: float | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as fast as stock a side is (stock seconds / its seconds): of the medians, and the spread
    of each round's own ratio; the same of the CPU time, which other jobs disturb less (all batch sizes
    together); and its peak memory as a share of stock's.
    """

    side: str
    batch: str
    speed: float
    speed_min: float
    speed_max: float
    cpu_time: float
    peak_memory: float


def rows(
    runs: Sequence[Run],
    flops: Mapping[str, Flops],
    gemm: Mapping[str, float],
    matched: Mapping[str, float],
) -> list[Row]:
    """One row for each side and batch size, in the order they were first run; the mappings go by side."""
    made = []
    for side in dict.fromkeys(run.plan.name for run in runs):
        of_side = [run.measured for run in runs if run.plan.name == side]
        first = of_side[0]
        for batch in first.seconds:
            seconds = round_seconds(of_side, batch)
            gflop = _gflop(flops.get(side), first)
            made.append(
                Row(
                    side=side,
                    batch=batch,
                    encoder=first.encoder,
                    precision=first.precision,
                    rounds=len(of_side),
                    seconds=Spread.of(seconds),
                    per_second=1 / median(seconds),
                    cpu_s=median(m.cpu_s for m in of_side),
                    peak_mb=median(m.peak_mb for m in of_side),
                    baseline_mb=median(m.baseline_mb for m in of_side),
                    masks=sum(first.n_masks) / first.n_images if first.n_masks else None,
                    gflop=gflop,
                    gflop_per_s=None if gflop is None else gflop / median(seconds),
                    share_of_peak=_share_of_peak(flops.get(side), gflop, first, gemm, median(seconds)),
                    matched=matched.get(side),
                )
            )
    return made


def ratios(runs: Sequence[Run]) -> list[Ratio]:
    """Every other side against stock."""
    stock = [run.measured for run in runs if run.plan.side == "stock"]
    made = []
    for side in dict.fromkeys(run.plan.name for run in runs if run.plan.side != "stock"):
        ours = [run.measured for run in runs if run.plan.name == side]
        memory = median(m.peak_mb for m in ours) / median(m.peak_mb for m in stock)
        cpu = median(m.cpu_s for m in stock) / median(m.cpu_s for m in ours)
        for batch in ours[0].seconds:
            peer, own = round_seconds(stock, batch), round_seconds(ours, batch)
            each = [p / o for p, o in zip(peer, own, strict=True)]
            made.append(Ratio(side, batch, median(peer) / median(own), min(each), max(each), cpu, memory))
    return made


def round_seconds(measured: Sequence[Measured], batch: str) -> list[float]:
    """The figure of each round: the median of its images."""
    return [median(m.seconds[batch]) for m in measured]


def matched_share(stock: Sequence[Sequence[Rle]], ours: Sequence[Sequence[Rle]]) -> float | None:
    """Share of the stock masks, over all images, that have a mask of ours at IoU .95; None without any."""
    found, total = 0, sum(map(len, stock))
    for theirs, own in zip(stock, ours, strict=True):
        if theirs and own:
            found += int((mask_iou(theirs, own) >= MATCH_IOU).any(axis=1).sum())
    return found / total if total else None


def read_masks(path: Path) -> list[list[Rle]]:
    """The masks that a process wrote."""
    images = json.loads(path.read_text("utf-8"))
    return [[Rle((m["size"][0], m["size"][1]), m["counts"]) for m in masks] for masks in images]


def _share_of_peak(
    flops: Flops | None, gflop: float | None, measured: Measured, gemm: Mapping[str, float], seconds: float
) -> float | None:
    encoder = gemm.get(measured.encoder.rpartition("-")[2])
    rest = gemm.get(measured.precision)
    if flops is None or gflop is None or not encoder or not rest:
        return None
    return (flops.encoder / encoder + (gflop * 1e9 - flops.encoder) / rest) / seconds


def _gflop(flops: Flops | None, measured: Measured) -> float | None:
    """Billions of operations for an image: counted, or from what the timed images asked of the networks."""
    if flops is None:
        return None
    if flops.image is not None:
        return flops.image / 1e9
    asked = measured.n_encoded * flops.encoder + measured.n_prompts * flops.prompt
    return asked / measured.n_images / 1e9 if measured.n_images else None
