"""A contact sheet for each cluster of unknown segments."""

from __future__ import annotations

from pathlib import Path

from samdb.pipelines.discover import UnknownCluster
from samdb.pipelines.pictures import segment_tile
from samdb.pipelines.search import image_paths
from samdb.ports import VectorStore
from samdb.reports.picture_file import save_png
from samdb.reports.sheet import draw_sheet

# three rows of five; every so-manieth member, from the most central to the least
_MOST_TILES = 15


def write_cluster_sheet(store: VectorStore, cluster: UnknownCluster, path: Path) -> Path:
    """Write members of a cluster as PNG, from its middle to its edge, so that a mixed one is seen as such.

    Members whose image is not there any more are left out. Raises ConfigError when `path` cannot be written.
    """
    n = len(cluster.segments)
    chosen = sorted({round(i * (n - 1) / (_MOST_TILES - 1)) for i in range(_MOST_TILES)})
    segments = [cluster.segments[i] for i in chosen]
    paths = image_paths(store, segments)
    tiles = [
        segment_tile(
            paths.get((s.dataset, s.image_id)),
            s.mask,
            s.box_xyxy,
            (
                f"{s.box_xyxy[2] - s.box_xyxy[0]:.0f} x {s.box_xyxy[3] - s.box_xyxy[1]:.0f} px",
                Path(s.image_id).name,
            ),
            None,
            str(rank + 1),
        )
        for rank, s in zip(chosen, segments, strict=True)
    ]
    return save_png(draw_sheet([t for t in tiles if t is not None], title=cluster_title(cluster)), path)


def cluster_title(cluster: UnknownCluster) -> str:
    """What there is to say of a cluster in a line."""
    n = len(cluster.segments)
    near = (
        f"{cluster.nearest_share:.0%} nearest to {cluster.nearest_class}"
        if cluster.nearest_class
        else "like no class"
    )
    return (
        f"cluster {cluster.number}: {n} segments of {cluster.n_images} images, "
        f"cohesion {cluster.cohesion:.2f}, {near}"
    )
