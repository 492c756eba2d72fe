"""Datasets: a path on disk to samples (an image with its labels), one format per file."""

from samdb.datasets.box_file import read_boxes
from samdb.datasets.describe import describe
from samdb.datasets.detect import FORMATS, open_dataset
from samdb.datasets.images import image_size, read_image

__all__ = ["FORMATS", "describe", "image_size", "open_dataset", "read_boxes", "read_image"]
