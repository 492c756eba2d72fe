"""The benchmark's order of work and arithmetic on hand-made results."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from samdb.core.masks import Rle
from scripts.benchmark.plan import Flops, Measured, Plan
from scripts.benchmark.results import matched_share, ratios, rows
from scripts.benchmark.runs import ChildError, Run, measure_in_turn, others_cores, start_process, turns
from tests.scripts.bench_material import OURS, STOCK, measured


def runs_of(plan: Plan, *rounds: Measured) -> list[Run]:
    return [Run(plan, each, None) for each in rounds]


def test_the_sides_take_turns_so_that_a_slow_spell_hits_both() -> None:
    assert [p.name for p in turns([OURS, STOCK], 3)] == ["samdb exact", "stock"] * 3


def test_every_turn_starts_a_process_of_its_own() -> None:
    started: list[str] = []

    def start(plan: Plan) -> dict[str, Any]:
        started.append(plan.name)
        return asdict(measured([1.0]))

    runs = measure_in_turn([OURS, STOCK], 2, start)
    assert started == ["samdb exact", "stock", "samdb exact", "stock"]
    assert [run.plan.name for run in runs] == started


def test_a_round_counts_as_the_median_of_its_images_and_a_side_as_the_median_of_its_rounds() -> None:
    runs = runs_of(OURS, measured([1.0, 2.0, 9.0]), measured([4.0, 4.0, 4.0]), measured([3.0, 3.0, 3.0]))
    row = rows(runs, {}, {}, {})[0]
    assert (row.seconds.median, row.seconds.min, row.seconds.max) == (3.0, 2.0, 4.0)
    assert row.per_second == pytest.approx(1 / 3)
    assert row.masks == 3.0  # 9 masks on 3 images
    assert (row.gflop, row.share_of_peak) == (None, None)


def test_the_ratio_is_stock_by_samdb_and_so_is_every_rounds() -> None:
    ours = runs_of(OURS, measured([1.0]), measured([2.0]), measured([4.0]))
    stock = runs_of(STOCK, *(measured([s], peak_mb=1000.0, cpu_s=s) for s in (8.0, 10.0, 12.0)))
    (ratio,) = ratios([*ours, *stock])
    assert ratio.side == "samdb exact"
    assert ratio.speed == 5.0  # 10 / 2
    assert (ratio.speed_min, ratio.speed_max) == (3.0, 8.0)  # 12 / 4 and 8 / 1
    assert ratio.cpu_time == 5.0  # 10 / 2
    assert ratio.peak_memory == 0.5


def test_every_batch_size_is_a_row_and_a_ratio() -> None:
    by_batch = {"1": [2.0], "8": [1.0]}
    runs = runs_of(OURS, measured([0.0], seconds=by_batch)) + runs_of(
        STOCK, measured([0.0], seconds={"1": [4.0], "8": [3.0]})
    )
    assert [(r.side, r.batch) for r in rows(runs, {}, {}, {})][:2] == [
        ("samdb exact", "1"),
        ("samdb exact", "8"),
    ]
    assert [(r.batch, r.speed) for r in ratios(runs)] == [("1", 2.0), ("8", 3.0)]


def test_stocks_operations_are_units_times_what_it_was_asked() -> None:
    # two images: 2 x 10 for the encoder, 6 prompts of 5, together 50 GFLOP or 25 an image, in 5 s
    run = runs_of(STOCK, measured([5.0, 5.0], n_encoded=2, n_prompts=6))
    row = rows(run, {"stock": Flops(10e9, 5e9, None)}, {"fp32": 20e9}, {})[0]
    assert (row.gflop, row.gflop_per_s) == (25.0, 5.0)
    assert row.share_of_peak == pytest.approx(0.25)  # 5 of 20 GFLOP/s


def test_each_part_is_held_to_the_peak_of_its_own_precision() -> None:
    # 10 GFLOP at 5 GFLOP/s and 40 at 20: four seconds at the peak, in eight
    run = runs_of(OURS, measured([8.0], encoder="openvino-fp32", precision="bf16"))
    row = rows(run, {"samdb exact": Flops(10e9, 1e9, 50e9)}, {"fp32": 5e9, "bf16": 20e9}, {})[0]
    assert row.share_of_peak == pytest.approx(0.5)
    assert row.gflop_per_s == 6.25


def test_masks_match_at_an_iou_of_95_percent() -> None:
    def block(width: int) -> Rle:
        pixels = np.zeros((10, 100), dtype=bool)
        pixels[:, :width] = True
        return Rle.encode(pixels)

    # 95 of 100 columns match, 94 do not; the second image was found by nobody of ours
    assert matched_share([[block(100)]], [[block(95)]]) == 1.0
    assert matched_share([[block(100)]], [[block(94), block(10)]]) == 0.0
    assert matched_share([[block(100)], [block(50)]], [[block(100)], []]) == 0.5
    assert matched_share([[]], [[block(5)]]) is None


def test_a_process_that_fails_is_an_error_with_its_last_words() -> None:
    broken = replace(OURS, batch_sizes=5)  # type: ignore[arg-type]  # no list: the child cannot read it
    with pytest.raises(ChildError, match=r"samdb exact \(measure auto\) failed \(exit 1\)(.|\n)*TypeError"):
        start_process(broken)


def test_what_other_processes_use_is_the_machines_time_without_our_own() -> None:
    # in 10 s the machine was busy for 15 s, 12 of them ours
    assert others_cores((0.0, 100.0, 1.0), (10.0, 115.0, 13.0)) == pytest.approx(0.3)
    assert others_cores(None, (10.0, 115.0, 13.0)) is None


def test_a_plan_survives_its_way_to_the_process() -> None:
    assert Plan.from_json(OURS.to_json()) == OURS
