"""The sizing model's arithmetic, on a store whose numbers are round."""

from __future__ import annotations

import pytest

from scripts.benchmark.sizing import Measured, main, size

# a thousand bytes in memory a point: 572 of int8, 128 of links, 300 of indexes
ROUND = Measured(
    n=1_000_000, dim=572, load_cpu_s=100.0, index_cpu_s=500.0, disk_bytes=4e9, p95_ms=2.0, index_bytes=300.0
)


def test_what_was_measured_comes_out_again() -> None:
    found = size(1_000_000, cores=1, measured=ROUND)
    assert (found.ram_gb, found.disk_gb, found.shards, found.nodes) == (1.0, 4.0, 1, 1)
    assert found.load_hours == pytest.approx(100 / 3600)
    assert found.index_hours == pytest.approx(500 / 3600)
    assert found.p95_ms == pytest.approx(2.0)


def test_memory_and_disk_grow_with_points_and_replicas_and_time_a_little_faster() -> None:
    found = size(10_000_000, cores=1, measured=ROUND)
    assert (found.ram_gb, found.disk_gb) == (10.0, 40.0)
    # ln(1e7) / ln(1e6) = 7/6
    assert found.load_hours == pytest.approx(10 * 100 / 3600)
    assert found.index_hours == pytest.approx(10 * 500 * 7 / 6 / 3600)
    assert found.p95_ms == pytest.approx(2.0 * 7 / 6)


def test_more_cores_index_sooner_and_only_more_nodes_load_sooner() -> None:
    one, many = size(10_000_000, cores=1, measured=ROUND), size(10_000_000, cores=16, measured=ROUND)
    assert many.load_hours == one.load_hours
    assert many.index_hours == pytest.approx(one.index_hours / 16)
    # three nodes, each point twice
    cluster = size(10_000_000, replicas=2, cores=16, measured=ROUND)
    assert cluster.load_hours == pytest.approx(one.load_hours * 2 / 3)


def test_a_cluster_has_nodes_for_its_memory_and_shards_of_no_more_than_five_million() -> None:
    found = size(100_000_000, replicas=2, node_ram_gb=50.0, measured=ROUND)
    assert found.ram_gb == 200.0
    assert found.nodes == 6  # 200 / (0.7 * 50) = 5.7
    assert found.shards == 20
    assert size(1_000_000, replicas=2, measured=ROUND).nodes == 3


def test_the_table_has_a_row_for_each_size_and_store(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 + 6
