"""The door to segment-anything, in processes of their own: what is imported cannot be taken back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]


def run(code: str) -> str:
    """Run Python code in a new process at the repository's root; what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_its_networks_load_where_torchvision_is_broken() -> None:
    # what a CUDA build of torchvision raises beside a CPU build of torch
    assert (
        run(
            "import sys\n"
            "class Broken:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name.split('.')[0] == 'torchvision':\n"
            "            raise RuntimeError('operator torchvision::nms does not exist')\n"
            "sys.meta_path.insert(0, Broken())\n"
            "from samdb.sam.modeling import build_sam, modeling\n"
            "print(modeling.MaskDecoder.__name__, callable(build_sam.build_sam_vit_b))\n"
        )
        == "MaskDecoder True"
    )


def test_a_missing_package_says_how_to_get_it() -> None:
    said = run(
        "import sys\n"
        "finders = list(sys.meta_path)\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'segment_anything':\n"
        "            return None\n"
        "        found = (finder.find_spec(name, path, target) for finder in finders)\n"
        "        return next((spec for spec in found if spec), None)\n"
        "sys.meta_path[:] = [Missing()]\n"
        "from samdb.errors import ConfigError\n"
        "try:\n"
        "    import samdb.sam.modeling\n"
        "except ConfigError as exc:\n"
        "    print(exc)\n"
    )
    assert "pip install segment-anything" in said
