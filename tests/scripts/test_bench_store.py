"""The store benchmark's parts, at a size at which they take seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samdb.core.masks import Rle
from samdb.core.points import Point
from samdb.core.segment import Segment
from samdb.core.vectors import normalise
from samdb.errors import ConfigError
from samdb.sam.recipes import layout_dims
from samdb.stores.codec import segment_to_point
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import SEGMENTS, LayoutParams
from samdb.stores.migrate import migrate
from scripts import bench
from scripts.benchmark.store import truth
from scripts.benchmark.store.child import do
from scripts.benchmark.store.command import main
from scripts.benchmark.store.plan import StorePlan
from scripts.benchmark.store.points import Payload, Points, Seeds, choose_class, point_id, spectrum
from scripts.benchmark.store.processes import ChildError

N_SEEDS, DIM = 120, 256


def segments() -> list[Point]:
    """Segments of 30 images, four each: three cars to one bus, around one direction a class."""
    rng = np.random.default_rng(3)
    centres = {name: rng.standard_normal(DIM) for name in ("car", "bus")}
    made = []
    for i in range(N_SEEDS):
        name = "bus" if i % 4 == 0 else "car"
        vector = normalise(centres[name] + 0.5 * rng.standard_normal(DIM))
        mask = Rle.encode(np.eye(8, dtype=bool))
        segment = Segment(
            segment_id=point_id(10**9 + i),
            dataset="d",
            split="train",
            image_id=f"{i // 4:03}.jpg",
            mask=mask,
            box_xyxy=mask.box_xyxy,
            area_px=8,
            granularity="whole",
            prompt_kind="box",
            predicted_iou=0.9,
            stability_score=0.9,
            model="vit_t",
            run="r",
            embeddings={"neck": vector},
            class_name=name,
        )
        made.append(segment_to_point(segment))
    return made


@pytest.fixture
def seeds() -> Seeds:
    points = segments()
    payloads: list[Payload] = [dict(p.payload) for p in points]  # type: ignore[arg-type]
    return Seeds(np.stack([p.vectors["neck"] for p in points]), payloads)


def test_points_follow_from_their_seed_number_alone(seeds: Seeds) -> None:
    few, many = Points.of(seeds, 300, 1), Points.of(seeds, 6000, 1)
    assert (few.rows == many.rows[:300]).all()
    assert np.array_equal(few.vectors(0, 300), Points.of(seeds, 300, 1).vectors(0, 300))
    assert not np.array_equal(few.rows, Points.of(seeds, 300, 2).rows)


def test_points_are_unit_vectors_near_their_seed_and_queries_are_none_of_them(seeds: Seeds) -> None:
    points = Points.of(seeds, 500)
    vectors = points.vectors(0, 500)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    own = np.einsum("nd,nd->n", vectors, seeds.vectors[points.rows])
    assert 0.5 < float(np.median(own)) < 0.99
    assert (points.queries(20) @ vectors.T).max() < 0.9999


def test_points_are_mixed_of_their_own_class(seeds: Seeds) -> None:
    points = Points.of(seeds, 500)
    names = np.array([str(p["class_name"]) for p in seeds.payloads])
    assert (names[points.near] == names[:, None]).all()
    assert (points.near != np.arange(N_SEEDS)[:, None]).all()
    centres = np.stack([seeds.vectors[names == name].mean(axis=0) for name in ("bus", "car")])
    nearest = np.array(["bus", "car"])[(points.vectors(0, 500) @ centres.T).argmax(axis=1)]
    assert (nearest == np.array(points.classes())).all()


def test_a_class_of_one_is_mixed_with_itself(seeds: Seeds) -> None:
    alone = Seeds(seeds.vectors[:1], seeds.payloads[:1])
    assert np.allclose(Points.of(alone, 5).vectors(0, 5), alone.vectors, atol=1e-6)


def test_the_spectrum_of_noise_in_few_dimensions_tells_how_many() -> None:
    rng = np.random.default_rng(0)
    flat = np.zeros((4000, 32), dtype=np.float32)
    flat[:, :4] = 0.05 * rng.standard_normal((4000, 4))
    flat[:, 31] = 1.0
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    ratio, dimension = spectrum(flat[:200], flat)
    assert 3.5 < float(np.median(dimension)) < 5.0
    assert float(np.median(ratio)) > 1.4


def test_an_image_keeps_its_segments_and_gets_a_name_of_its_own(seeds: Seeds) -> None:
    points = Points.of(seeds, 400)
    payloads = list(points.payloads(0, 400))
    by_image: dict[str, int] = {}
    for payload in payloads:
        by_image[str(payload["image_id"])] = by_image.get(str(payload["image_id"]), 0) + 1
    assert set(by_image.values()) == {4}
    assert choose_class(points.classes(), 0.3) == ("bus", 0.25)


def test_the_exact_answers_are_those_of_a_plain_scan(seeds: Seeds) -> None:
    points = Points.of(seeds, 5200)  # more than one chunk
    found = truth.exact(points, 5, 3, ("bus",))
    cosines = points.queries(5) @ points.vectors(0, 5200).T
    assert np.array_equal(found[""], np.argsort(-cosines, axis=1)[:, :3])
    buses = np.array([name == "bus" for name in points.classes()])
    assert np.array_equal(found["bus"], np.argsort(-np.where(buses, cosines, -2), axis=1)[:, :3])


def test_recall_is_the_share_of_the_exact_answers_that_were_found() -> None:
    assert truth.recall([["a", "b"], ["c", "x"]], [["a", "b"], ["c", "d"]]) == 0.75


def test_edge_and_samdb_are_measured_on_one_store(seeds: Seeds, tmp_path: Path) -> None:
    seeds.save(tmp_path)
    place = str(tmp_path / "edge")
    plan = StorePlan("truth", "edge", str(tmp_path), place, 800, 10, 10, "neck", "vit_t", ("bus",), batch=400)
    for task in ("truth", "build", "serve"):
        fields = {**json.loads(plan.to_json()), "task": task}
        answer: Any = do(StorePlan.from_json(json.dumps(fields)))
        if task == "build":
            assert answer["load_cpu_s"] > 0
            assert answer["disk_mb"] > 1
    rows = {row["name"]: row for row in answer}
    assert set(rows) == {"edge", "samdb search", "edge by id", "samdb search by id"}
    assert rows["edge"]["recall"] >= 0.99
    assert rows["samdb search"]["recall"] == rows["edge"]["recall"]
    assert rows["samdb search"]["overhead"] > 0
    assert rows["samdb search"]["filtered"][0]["recall"] >= 0.99


def test_the_command_prints_machine_commit_and_rows_and_names_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_store(tmp_path / "store")

    def start(plan: StorePlan) -> object:
        if plan.engine == "hnswlib":
            raise ChildError("hnswlib: not installed")
        return do(plan)

    arguments = [
        "--points",
        "300",
        "--queries",
        "5",
        "--recipe",
        "neck",
        "--engines",
        "edge,hnswlib",
        "--json",
    ]
    assert main([*arguments, "--store", str(tmp_path / "store")], start) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["n"], report["dim"], report["n_seeds"]) == (300, DIM, N_SEEDS)
    assert report["left_out"] == ["hnswlib: not installed"]
    assert {"cpu", "cores"} <= set(report["machine"])
    assert report["rows"][0]["served"]["filtered"][0]["class_name"] == "bus"


def test_wrong_options_are_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["store", "--engines", "nonsense"]) == ConfigError("").exit_code
    assert "choose from edge" in capsys.readouterr().err


def with_store(folder: Path) -> None:
    """An embedded store of the segments."""
    store = EdgeStore(folder)
    migrate(store, LayoutParams("vit_t", layout_dims("vit_t")))
    store.upsert(SEGMENTS, segments())
    store.close()
