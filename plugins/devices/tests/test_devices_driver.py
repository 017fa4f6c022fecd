"""How a driver leaves a device whose run failed: nothing measured is removed there before it is here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlperf_mobile.contracts.transport import DeviceError, DeviceLost
from mlperf_mobile.errors import ExitCode
from mlperf_mobile_devices import driver
from mlperf_mobile_devices.link import Cancelled


class Run:
    """A stand-in for a run on a device, which fails where it is said to."""

    def __init__(self, **fails):
        self.fails, self.calls, self.was_started, self.folder = fails, [], True, "runs/one"
        self.link = SimpleNamespace(address="adb:one")

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append(name)
            if error := self.fails.get(name):
                raise error
            return 0

        return call


BAD_COPY = DeviceError("device-transfer", "the copy differs", "check the cable")


@pytest.mark.parametrize("error", [Cancelled(), RuntimeError("a defect")])
def test_a_run_whose_files_cannot_be_copied_stays_on_the_device(error, capsys):
    channel = SimpleNamespace(failed=lambda error: ExitCode.INTERNAL)
    run = Run(follow=error, fetch=BAD_COPY)
    run.cancel = lambda: True
    driver._carried_out(run, channel, lambda run: None)
    assert "fetch" in run.calls
    assert "clean" not in run.calls
    assert run.calls[-2:] == ["release", "close"]
    assert "adb:one: runs/one could not be copied and stays there" in capsys.readouterr().err


@pytest.mark.parametrize("error", [Cancelled(), RuntimeError("a defect")])
def test_a_run_that_failed_is_copied_and_removed(error):
    channel = SimpleNamespace(failed=lambda error: ExitCode.INTERNAL)
    run = Run(follow=error)
    run.cancel = lambda: True
    driver._carried_out(run, channel, lambda run: None)
    assert run.calls[-4:] == ["fetch", "clean", "release", "close"]


def test_a_lost_device_keeps_the_run_and_its_settings():
    channel = SimpleNamespace(failed=lambda error: ExitCode.DEVICE)
    run = Run(follow=DeviceLost("the cable"))
    driver._carried_out(run, channel, lambda run: None)
    assert run.calls[-3:] == ["leave", "release", "close"]
    assert not {"cancel", "fetch", "clean"} & {*run.calls}
