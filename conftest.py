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
import subprocess
import time
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.testing.c_library import compiler
from mlperf_mobile.testing.command import PROGRAM

# A property's examples are the same in every run; `make properties` draws others, and prints how to repeat a failure.
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile(
    "repeatable", settings.get_profile("random"), derandomize=True, database=None, max_examples=50
)
settings.load_profile("repeatable")

# A shell without job control starts background jobs with interrupts ignored, and `nohup` with hang-ups ignored, which
# commands under test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

USERS_OWN = re.compile(r"(MLPERF_MOBILE|XDG|LC|NN_STAND_IN|SNPE)_.*|LANG(UAGE)?|TERM|COLUMNS|LINES|(NO|FORCE)_COLOR")
KEPT = "MLPERF_MOBILE_SHARED"
REQUIRE = "MLPERF_MOBILE_REQUIRE_DEVICES"
"""A variable with the programs whose absence fails the tests that need them, separated by blanks."""
REQUIRED = frozenset(os.environ.get(REQUIRE, "").split())


def pytest_make_parametrize_id(val, argname):
    """Bytes that are no words, and long texts, name no test: they may differ from one collection to the next."""
    if isinstance(val, bytes | str) and (
        len(val) > 100 or (isinstance(val, bytes) and not re.fullmatch(rb"[ -~]+", val))
    ):
        return argname
    return None


def pytest_addoption(parser):
    """``--thorough``, as ``make thorough`` gives it."""
    parser.addoption("--thorough", action="store_true", help="run all cases of tests marked `sampled` or `nightly`")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Tests that start processes are slow, by a fixture; the longest begin first, and none is left at the end."""
    if not config.getoption("thorough"):
        leave_out(config, items)
    for item in items:
        if "processes" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def leave_out(config, items):
    """Leave out what only ``make thorough`` runs: the cases between those of a sample, and tests of the night."""
    cases, left_out = Counter(), set()
    for item in items:
        if sample := item.get_closest_marker("sampled"):
            test = item.nodeid.partition("[")[0]
            if cases[test] % sample.args[0]:
                left_out.add(item)
            cases[test] += 1
        elif item.get_closest_marker("nightly"):
            left_out.add(item)
    if left_out:
        config.hook.pytest_deselected(items=[*left_out])
        items[:] = [item for item in items if item not in left_out]


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


@pytest.fixture(autouse=True)
def plugins_as_installed_now():
    """A process finds its plugins once; a test finds those that it installed."""
    installed_plugins.cache_clear()


@pytest.fixture(scope="session")
def processes():
    """For what starts interpreters or commands: tests that have it, or a fixture that has it, are slow."""


@pytest.fixture(scope="session", autouse=True)
def processes_are_forked(surroundings):
    """What starts the command or its workers forks an interpreter that has imported them; see ``forks.py``."""
    from forks import ForkServer, forking

    servers = []

    def server():
        if not servers:
            servers.append(ForkServer.start())
        return servers[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", forking(PROGRAM, server))
        yield
    for each in servers:
        each.close()


@pytest.fixture(scope="session")
def needed():
    """``needed("adb")``: the path of a program; a test skips without it, or fails where CI has installed it."""

    def needed(program):
        if found := shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"):
            return found
        if program in REQUIRED:
            pytest.fail(f"{program} is not found, although {REQUIRE} says that it is installed")
        pytest.skip(f"{program} is not installed")

    return needed


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
        folder, returned = between_workers / name, between_workers / f"{name}.json"
        with (between_workers / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not returned.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of one that failed
                folder.mkdir()
                returned.write_text(json.dumps(make(folder)))
        return json.loads(returned.read_text())

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
    """The first 300 images of the quickstart's data set, for systems that take milliseconds for each."""
    packaged = files("mlperf_mobile_task_image_classification") / "quickstart"
    folder = tmp_path_factory.mktemp("clothes")
    for name, head, each in (("t10k-images-idx3-ubyte.gz", 16, 784), ("t10k-labels-idx1-ubyte.gz", 8, 1)):
        data = gzip.decompress((packaged / name).read_bytes())
        kept = data[:4] + (300).to_bytes(4, "big") + data[8 : head + 300 * each]
        (folder / name).write_bytes(gzip.compress(kept, 1, mtime=0))
    return folder


@pytest.fixture(scope="session")
def few_facts(tmp_path_factory):
    """The first 16 questions of the quickstart's data set, for runs that are not about their accuracy."""
    packaged = files("mlperf_mobile_task_question_answering") / "quickstart"
    folder = tmp_path_factory.mktemp("facts")
    facts = json.loads((packaged / "made_up_facts.json").read_text())
    (folder / "made_up_facts.json").write_text(json.dumps(facts | {"data": facts["data"][:8]}))
    (folder / "vocab.txt").write_bytes((packaged / "vocab.txt").read_bytes())
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
