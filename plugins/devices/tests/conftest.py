"""A device that is a folder of this machine, with an environment that is this one."""

from __future__ import annotations

import pytest

from mlperf_mobile_devices.testing import StandInBoard, set_up


@pytest.fixture
def board(processes, few_facts, tmp_path):
    """A stand-in for a board that was set up."""
    found = StandInBoard(tmp_path, "python", env={"MLPERF_MOBILE_DATA_PATH": str(few_facts)})
    set_up(found.root)
    return found
