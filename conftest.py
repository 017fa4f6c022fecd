"""For all tests: nothing that they find depends on the user, the machine, its load, or the day."""

import ctypes
import fcntl
import gzip
import json
import locale
import os
import re
import shutil
import signal
import time
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mlperf_mobile.testing.c_library import compiler

# A property's examples are the same in every run; `make properties` draws others, and prints how to repeat a failure.
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("repeatable", settings.get_profile("random"), derandomize=True, database=None)
settings.load_profile("repeatable")

# A shell without job control starts background jobs with interrupts ignored, and `nohup` with hang-ups ignored, which
# commands under test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

USERS_OWN = re.compile(r"(MLPERF_MOBILE|XDG|LC|NN_STAND_IN|SNPE)_.*|LANG(UAGE)?|TERM|COLUMNS|LINES|(NO|FORCE)_COLOR")
KEPT = "MLPERF_MOBILE_SHARED"


def pytest_make_parametrize_id(val, argname):
    """Bytes that are no words, and long texts, name no test: they may differ from one collection to the next."""
    if isinstance(val, bytes | str) and (
        len(val) > 100 or (isinstance(val, bytes) and not re.fullmatch(rb"[ -~]+", val))
    ):
        return argname
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests that start processes are slow, by a fixture; the longest begin first, and none is left at the end."""
    for item in items:
        if "processes" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session", autouse=True)
def surroundings(tmp_path_factory):
    """The same home, language, terminal, time zone and file permissions for everybody."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if USERS_OWN.fullmatch(name) and name != KEPT]:
            patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("LC_ALL", "C.UTF-8")
        patch.setenv("TERM", "dumb")
        patch.setenv("TZ", "UTC")
        time.tzset()
        locale.setlocale(locale.LC_ALL, "")
        os.umask(0o022)
        yield


@pytest.fixture(scope="session")
def processes():
    """For what starts interpreters or commands: tests that have it, or a fixture that has it, are slow."""


@pytest.fixture(scope="session")
def between_workers(tmp_path_factory):
    """A folder that all workers of a run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def once(between_workers):
    """``once("name", make)``: what ``make(folder)`` returned, as JSON, in the first worker of a run that needed it.

    The files in the folder are there for all: tests copy what they change.
    """

    def once(name, make):
        folder, told = between_workers / name, between_workers / f"{name}.json"
        with (between_workers / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not told.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of one that failed
                folder.mkdir()
                told.write_text(json.dumps(make(folder)))
        return json.loads(told.read_text())

    return once


@pytest.fixture(scope="session")
def built(between_workers):
    """Where all workers of a run keep the C libraries that they build: with the same flags, each is built once."""
    compiler()  # or skip
    folder = Path(os.environ.get("BUILT", between_workers / "built"))
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def some_clothes(tmp_path_factory):
    """The first 1,000 images of the quickstart's data set, for systems that take milliseconds for each."""
    packaged = files("mlperf_mobile_task_image_classification") / "quickstart"
    folder = tmp_path_factory.mktemp("clothes")
    for name, head, each in (("t10k-images-idx3-ubyte.gz", 16, 784), ("t10k-labels-idx1-ubyte.gz", 8, 1)):
        data = gzip.decompress((packaged / name).read_bytes())
        kept = data[:4] + (1000).to_bytes(4, "big") + data[8 : head + 1000 * each]
        (folder / name).write_bytes(gzip.compress(kept, 1, mtime=0))
    return folder


@pytest.fixture
def permissions_bind():
    """Root may not pass over the permissions of files any more, in this thread and in those that it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    this_thread = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3 of the interface: capget(2)
    held = (ctypes.c_uint32 * 6)()
    assert libc.capget(this_thread, held) == 0
    override, read_search = 1 << 1, 1 << 2
    less = (ctypes.c_uint32 * 6)(held[0] & ~(override | read_search), *held[1:])
    assert libc.capset(this_thread, less) == 0
    yield
    assert libc.capset(this_thread, held) == 0


@pytest.fixture
def shared():
    """Real models, where there are any."""
    if not (place := os.environ.get(KEPT)):
        pytest.skip(f"{KEPT} is not set")
    return Path(place) / "models"
