"""Whatever a plugin raises is its own fault: panics of native libraries, ``sys.exit``, and errors without a text."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlperf_mobile.contracts import Artifact, Purpose
from mlperf_mobile.errors import BackendError, described
from mlperf_mobile.registry import Registry
from mlperf_mobile.worker.blame import blame
from mlperf_mobile.worker.prepare import PreparedModel
from mlperf_mobile.worker.system import System


class PanicException(BaseException):
    """As PyO3 raises it when a library in Rust panics."""


class NoTextError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


RAISED = [
    (SystemExit(0), "SystemExit: 0"),
    (PanicException("called unwrap on None"), "PanicException: called unwrap on None"),
    (NoTextError(), "NoTextError: its text is not available"),
    (GeneratorExit(), "GeneratorExit"),
]
each = pytest.mark.parametrize(("raised", "told"), RAISED, ids=[type(raised).__name__ for raised, _ in RAISED])


each_batch = pytest.mark.parametrize("batch", [1, 2])


class Session:
    inputs = outputs = ()

    def run(self, inputs): ...
    def run_batch(self, samples): ...
    def placement(self): ...
    def __enter__(self): ...
    def __exit__(self, *exc): ...


def raises(error):
    def fail(*args):
        raise error

    return fail


@each
def test_it_is_reported_in_one_line(raised, told):
    assert described(raised) == told


@each
def test_a_plugin_is_blamed(raised, told):
    with pytest.raises(BackendError) as caught, blame("backend", "acme"):
        raise raised
    assert caught.value.code == "backend-failed"
    assert caught.value.summary == f"backend acme failed: {told}"


def test_ctrl_c_is_nobodys_fault():
    with pytest.raises(KeyboardInterrupt), blame("backend", "acme"):
        raise KeyboardInterrupt


@each
@each_batch
def test_a_session_is_blamed_in_the_timed_run(raised, told, batch):
    session = Session()
    session.run = session.run_batch = raises(raised)
    data = [b""]
    codec = SimpleNamespace(encode=lambda sample: (), decode=lambda outputs: b"")
    system = System([session], batch, codec, data, None, backend="acme")
    system._samples[0] = ()
    for call in (lambda: system.answer_batch([0], 0), lambda: system.infer([0], 0)):
        with pytest.raises(BackendError) as caught:
            call()
        assert caught.value.summary == f"backend acme: inference failed: {told}"


@each_batch
def test_memory_that_a_backend_lacks_is_its_error(batch):
    session = Session()
    session.run = session.run_batch = raises(MemoryError("no DMA buffer"))
    codec = SimpleNamespace(encode=lambda sample: (), decode=lambda outputs: b"")
    system = System([session], batch, codec, [b""], None, backend="acme")
    system._samples[0] = ()
    with pytest.raises(BackendError) as caught:
        system.answer_batch([0], 0)
    assert caught.value.summary == "backend acme: inference failed: MemoryError: no DMA buffer"


@each
def test_a_hook_of_one_plugin_leaves_the_others(raised, told):
    dist = SimpleNamespace(name="acme", version="1.0")
    entry = SimpleNamespace(name="acme", value="acme.plugin", dist=dist, load=raises(raised))
    (problem,) = Registry([entry]).problems
    assert (problem.code, problem.reason) == ("import-failed", told)


class Closing(Session):
    def __init__(self, error):
        self.error = error

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        raise self.error


def loaded(error, stack):
    backend = SimpleNamespace(load=lambda artifact: Closing(error), shards=1)
    files = SimpleNamespace(check_model=lambda: None)
    obtained = {"npu": SimpleNamespace(artifact=Artifact(Path(), "npu"))}
    ready = PreparedModel(SimpleNamespace(backend="acme"), backend, obtained, {"load": 0.0}, files, {"npu": Purpose()})
    assert len(ready.sessions("npu", 2, stack)) == 2


@each
def test_a_session_that_cannot_be_closed(raised, told):
    stack = ExitStack()
    loaded(raised, stack)
    with pytest.raises(BackendError) as caught:
        stack.close()
    assert caught.value.summary == f"backend acme failed: {told}"


@each
def test_closing_hides_no_earlier_error(raised, told, capsys):
    with pytest.raises(LookupError), ExitStack() as stack:
        loaded(raised, stack)
        raise LookupError
    assert type(raised).__name__ in capsys.readouterr().err
