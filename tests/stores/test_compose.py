"""docker-compose.yml: what it promises in the README."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import cast

import pytest

from tests.stores.qdrant_server import QdrantServer

yaml = pytest.importorskip("yaml", reason="pyyaml is not installed")

_REPOSITORY = Path(__file__).resolve().parents[2]
_FILE = _REPOSITORY / "docker-compose.yml"


@pytest.fixture
def services() -> dict[str, dict[str, object]]:
    document = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    nodes = {f"qdrant_storage_{i}" for i in (1, 2, 3)}
    assert set(document["volumes"]) == {"qdrant_storage", "samdb_cache", *nodes}
    return cast(dict[str, dict[str, object]], document["services"])


def test_the_server_is_the_official_image_of_an_exact_version(services: dict[str, dict[str, object]]) -> None:
    assert services["qdrant"]["image"] == "qdrant/qdrant:v1.16.3"


def test_points_live_in_a_named_volume(services: dict[str, dict[str, object]]) -> None:
    assert services["qdrant"]["volumes"] == ["qdrant_storage:/qdrant/storage"]


def test_ports_are_open_to_this_machine_only(services: dict[str, dict[str, object]]) -> None:
    ports = cast(list[str], services["qdrant"]["ports"])
    assert sorted(ports) == ["127.0.0.1:6333:6333", "127.0.0.1:6334:6334"]


def test_no_key_is_asked_for_unless_one_is_set(services: dict[str, dict[str, object]]) -> None:
    # a value left out is taken from the shell, and stays unset there; an empty one locks Qdrant for everybody
    environment = cast(dict[str, str | None], services["qdrant"]["environment"])
    assert environment["QDRANT__SERVICE__API_KEY"] is None
    assert cast(dict[str, str | None], services["ingest"]["environment"])["SAMDB_API_KEY"] is None


def test_the_worker_ingests_into_the_server_once_it_is_healthy(
    services: dict[str, dict[str, object]],
) -> None:
    worker = services["ingest"]
    assert worker["image"] == "python:3.11-slim"
    assert worker["profiles"] == ["ingest"]
    assert worker["depends_on"] == {"qdrant": {"condition": "service_healthy"}}
    environment = cast(dict[str, str], worker["environment"])
    assert environment["SAMDB_STORE"] == "http://qdrant:6333"
    assert environment["XDG_CACHE_HOME"] == "/cache"
    volumes = cast(list[str], worker["volumes"])
    assert "${DATASET:-./dataset}:/data:ro" in volumes
    assert "samdb_cache:/cache" in volumes
    assert cast(list[str], worker["command"])[-1].endswith("samdb ingest /data")


@pytest.mark.parametrize("i", [1, 2, 3])
def test_a_cluster_has_three_nodes_on_this_machine_only(
    services: dict[str, dict[str, object]], i: int
) -> None:
    node = services[f"qdrant-{i}"]
    assert (node["image"], node["profiles"]) == (services["qdrant"]["image"], ["cluster", "ray"])
    assert node["healthcheck"] == services["qdrant"]["healthcheck"]
    assert node["volumes"] == [f"qdrant_storage_{i}:/qdrant/storage"]
    assert node["ports"] == [f"127.0.0.1:63{3 + i}3:6333", f"127.0.0.1:63{3 + i}4:6334"]
    environment = cast(dict[str, str | None], node["environment"])
    assert environment["QDRANT__CLUSTER__ENABLED"] == "true"
    assert environment["QDRANT__SERVICE__API_KEY"] is None
    command = cast(list[str], node["command"])
    assert command[:3] == ["./qdrant", "--uri", f"http://qdrant-{i}:6335"]
    # the first node is the one that the others ask for the cluster
    assert command[3:] == ([] if i == 1 else ["--bootstrap", "http://qdrant-1:6335"])
    assert ("depends_on" in node) == (i != 1)


def test_ray_has_a_head_and_workers_that_fill_the_cluster(services: dict[str, dict[str, object]]) -> None:
    commands = {}
    for name in ("ray-head", "ray-worker", "ray-ingest"):
        service = services[name]
        assert (service["image"], service["profiles"]) == (services["ingest"]["image"], ["ray"])
        # the same images and weights for all, nothing reachable from outside
        assert service["volumes"] == services["ingest"]["volumes"]
        assert "ports" not in service
        environment = cast(dict[str, str | None], service["environment"])
        nodes = ",".join(f"http://qdrant-{i}:6333" for i in (1, 2, 3))
        assert (environment["SAMDB_STORE"], environment["SAMDB_API_KEY"]) == (nodes, None)
        assert environment["XDG_CACHE_HOME"] == "/cache"
        assert "'/tmp/samdb[ray]' && exec" in cast(list[str], service["entrypoint"])[-1]
        commands[name] = cast(list[str], service["command"])[0]
    assert "ray start --head --port=6379" in commands["ray-head"]
    assert "ray start --address=ray-head:6379" in commands["ray-worker"]
    assert commands["ray-ingest"].endswith("samdb ingest /data --ray auto")
    waits = cast(dict[str, dict[str, str]], services["ray-ingest"]["depends_on"])
    assert waits.keys() == {"ray-head", "ray-worker", "qdrant-1", "qdrant-2", "qdrant-3"}
    assert waits["ray-head"] == services["ray-worker"]["depends_on"]["ray-head"]  # type: ignore[index]


def test_what_a_ray_service_is_for_runs_after_the_installation(
    services: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    # with stand-ins for cp, pip and ray; compose makes $ of $$
    for name in ("cp", "pip", "ray"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    entrypoint = [part.replace("$$", "$") for part in cast(list[str], services["ray-worker"]["entrypoint"])]
    command = [*entrypoint, *cast(list[str], services["ray-worker"]["command"])]
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(command, env=path, capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.splitlines() == [
        "cp -r /app /tmp/samdb",
        "pip install --quiet --root-user-action=ignore /tmp/samdb[ray]",
        "ray start --address=ray-head:6379 --block",
    ]


@pytest.mark.server
def test_the_health_check_tells_a_live_server_from_a_dead_one(
    services: dict[str, dict[str, object]], qdrant_server: QdrantServer
) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash, which runs the health check, is not installed")
    check = cast(dict[str, list[str]], services["qdrant"]["healthcheck"])["test"]
    assert check[:3] == ["CMD", "bash", "-c"]
    live = check[3].replace("/6333", f"/{qdrant_server.http_port}")
    assert subprocess.run(["bash", "-c", live], timeout=20, check=False).returncode == 0
    dead = check[3].replace("/6333", "/1")
    assert subprocess.run(["bash", "-c", dead], timeout=20, check=False, capture_output=True).returncode != 0


def test_docker_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("docker compose is not installed")
    subprocess.run([docker, "compose", "-f", str(_FILE), "config", "--quiet"], check=True, timeout=60)
