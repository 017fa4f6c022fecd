"""The quickstart's scenes are those that training measured."""

from __future__ import annotations

import json
from importlib.resources import files

from mlperf_mobile_task_semantic_segmentation.fashion_masks import SHA256


def test_the_scenes_are_those_that_were_measured():
    packaged = files("mlperf_mobile_task_semantic_segmentation") / "quickstart"
    assert json.loads((packaged / "quickstart.json").read_text())["scenes"] == SHA256
