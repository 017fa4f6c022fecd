"""Stand-ins for phones, and the real adb client; what needs them is left out where adb is not installed."""

from __future__ import annotations

import pytest

from mlperf_mobile_device_adb.testing import StandIns
from mlperf_mobile_device_adb.transport import Adb


@pytest.fixture(scope="session")
def adb(processes, needed):
    """The path of the adb client, or a skip."""
    return needed("adb")


@pytest.fixture
def androids_commands(needed):
    """For what executes the shell and the commands that Android has."""
    for program in ("toybox", "mksh"):
        needed(program)


@pytest.fixture(scope="module")
def shared_phones(adb):
    """Two stand-ins for all tests of a module, which leave them as they were."""
    with StandIns(2) as found:
        yield found


@pytest.fixture
def phone(adb):
    """A stand-in for one test."""
    with StandIns() as found:
        yield found


@pytest.fixture
def phones(adb):
    """``phones(count, **profile)``: stand-ins with a profile of this test's own."""
    started = []

    def start(count=1, **profile):
        started.append(StandIns(count, **profile).__enter__())
        return started[-1]

    yield start
    for each in started:
        each.__exit__(None, None, None)


@pytest.fixture
def own_state(tmp_path, monkeypatch):
    """What is written down of changed settings stays in this test's folder, and the lab's server is not used."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")


@pytest.fixture
def reached(monkeypatch, own_state):
    """``reached(phones)``: the first of the stand-ins by the transport, with our folder on it."""

    def reached(phones, device=0):
        for name, value in phones.env.items():
            monkeypatch.setenv(name, value)
        adb = Adb(phones.serials[device])
        adb.__enter__()
        adb.run(["mkdir", "-p", adb.root])
        return adb

    return reached


@pytest.fixture
def device(phone, reached):
    """A stand-in of this test's own."""
    return reached(phone)


@pytest.fixture
def shared_device(shared_phones, reached):
    return reached(shared_phones)
