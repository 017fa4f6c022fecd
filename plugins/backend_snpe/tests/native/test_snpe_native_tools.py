"""The SDK's programs, by stand-ins: what they are given, and what happens when they fail."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact, CompileRequest, Session
from mlperf_mobile.errors import BackendError, ModelError, UsageError
from mlperf_mobile_backend_snpe.native import backend, net_run, tool
from mlperf_mobile_backend_snpe.native.backend import NativeExecutor
from mlperf_mobile_backend_snpe.native.net_run import NetRunSession
from mlperf_mobile_backend_snpe.native.options import NativeOptions

Dlc = Callable[..., Path]

X = np.array([[1, -2, 0.5, 4]], np.float32)
SHAPES = {"net_run_inputs": {"x": (1, 4)}, "net_run_outputs": {"y": (1, 4)}}


def session_of(model: Path, accelerator: str = "cpu", **options: Any) -> Session:
    chosen = NativeOptions.model_validate({"executor": "net-run", **SHAPES, **options})
    return NativeExecutor(chosen).load(Artifact(model, accelerator))


def folder_of(session: Session) -> Path:
    assert isinstance(session, NetRunSession)
    assert session._directory is not None
    return session._directory


def test_probe_says_that_its_times_never_count(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The accelerators are those whose kernel drivers are there."""
    monkeypatch.setitem(backend.DRIVERS, "htp", ("/dev/null",))
    monkeypatch.setitem(backend.DRIVERS, "gpu", ("/dev/absent",))
    probe = NativeExecutor(NativeOptions(executor="net-run")).probe()
    assert probe.runtime == "snpe-net-run 2.45.0.stand-in"
    assert probe.accelerators == ("htp", "cpu")
    assert probe.functional_only == dict.fromkeys(probe.accelerators, net_run.NOTE)


def test_the_program_steps_in_for_a_library_that_is_missing(tools: Path) -> None:
    assert NativeExecutor(NativeOptions()).probe().runtime.startswith("snpe-net-run")
    for options in ({"executor": "c-api"}, {"library": "libabsent.so"}):
        assert not NativeExecutor(NativeOptions.model_validate(options)).probe().usable


def test_probe_of_a_program_without_a_version(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNPE_STAND_IN_TOOL", "mute")
    probe = NativeExecutor(NativeOptions(executor="net-run")).probe()
    assert not probe.usable
    assert "no version" in probe.reason


def test_arguments_of_net_run(tools: Path, dlc: Dlc) -> None:
    """Names and values of ``snpe-net-run --help`` (SNPE 2.14)."""
    model = dlc()
    options = {"cpu_fallback": True, "cpu_fixed_point": True, "output_tensors": ["y"], "platform_options": "a:b;c:d"}
    with session_of(model, "htp", **options) as session:
        np.testing.assert_array_equal(session.run((X,))[0], 2 * X)
        given = (folder_of(session) / "arguments").read_text().splitlines()
    assert given == [
        f"--container={model}",
        "--input_list=inputs.txt",
        "--output_dir=output",
        "--runtime_order=dsp,cpu",
        "--perf_profile=burst",
        "--profiling_level=off",
        "--priority_hint=normal",
        "--set_output_tensors=y",
        "--platform_options=a:b;c:d",
        "--enable_cpu_fxp",
    ]


def test_nothing_is_left_of_a_session(tools: Path, dlc: Dlc) -> None:
    session = session_of(dlc())
    folder = folder_of(session)
    with session:
        session.run((X,))
        assert session.placement().operations == {"cpu": 1}
    assert not folder.exists()
    with pytest.raises(BackendError) as caught:
        session.run((X,))
    assert caught.value.code == "session-closed"


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        ("exit", "tool-failed", "exit code 7: stand-in: first line / ERROR: the network cannot be built"),
        ("crash", "tool-died", "died of SIGSEGV"),
        ("missing", "output-missing", "wrote no output y; it wrote nothing"),
        ("link", "output-missing", "wrote no output y; it wrote y.raw"),
        ("short", "output-size", "15 bytes for output y, not the 16"),
        ("long", "output-size", "17 bytes for output y, not the 16"),
    ],
)
def test_runs_that_fail(
    tools: Path, dlc: Dlc, monkeypatch: pytest.MonkeyPatch, fault: str, code: str, told: str
) -> None:
    with session_of(dlc()) as session:
        session.run((X,))
        monkeypatch.setenv("SNPE_STAND_IN_TOOL", fault)
        with pytest.raises(BackendError, match=told) as caught:
            session.run((X,))
    assert caught.value.code == code


def test_a_run_without_an_end_is_killed_with_its_children(
    tools: Path, dlc: Dlc, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_of(dlc(), net_run_timeout_s=2) as session:
        monkeypatch.setenv("SNPE_STAND_IN_TOOL", "hang")
        with pytest.raises(BackendError, match="longer than 2 s") as caught:
            session.run((X,))
        child = int((folder_of(session) / "child").read_text())
    assert caught.value.code == "tool-timeout"
    for _ in range(2000):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    os.kill(child, 9)
    pytest.fail("what the program started is still running")


def test_a_program_that_is_missing_or_broken(tools: Path, dlc: Dlc) -> None:
    (tools / "snpe-net-run").write_bytes(b"\x7fELF of another machine")
    with session_of(dlc()) as session, pytest.raises(BackendError, match="cannot be started") as caught:
        session.run((X,))
    assert caught.value.code == "tool-missing"
    with pytest.raises(BackendError, match="the program snpe-absent was not found"):
        tool.run("snpe-absent", [], directory=tools, timeout_s=1)


def test_a_session_needs_names_and_shapes(tools: Path, dlc: Dlc) -> None:
    with pytest.raises(ModelError, match="the options give none for model"):
        session_of(dlc(), net_run_outputs={})
    with pytest.raises(BackendError, match="one sample per call"):
        NativeExecutor(NativeOptions.model_validate({"executor": "net-run", **SHAPES})).load(Artifact(dlc(), "cpu", 2))


@pytest.mark.parametrize(
    "options",
    [
        {"profiling_level": "basic", "profiling_directory": "/tmp/absent"},
        {"output_layers": ["y"]},
        {"input_type": "uint_8"},
        {"output_type": "float_32"},
        {"init_cache": True},
        {"log_level": "info"},
    ],
)
def test_options_of_the_library_are_not_passed_over(
    tools: Path, dlc: Dlc, request_for: Callable[..., CompileRequest], options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=f"does not support the option {next(iter(options))}"):
        session_of(dlc(), **options)
    if "init_cache" in options:
        executor = NativeExecutor(NativeOptions.model_validate({"executor": "net-run", **options}))
        with pytest.raises(UsageError):
            executor.compile(request_for(dlc()))


def test_htp_models_are_prepared(tools: Path, dlc: Dlc, request_for: Callable[..., CompileRequest]) -> None:
    options = {"htp_socs": ["sm8650", "sm8750"], "htp_optimization_level": 3, "htp_hvx_threads": 4, "htp_dlbc": True}
    executor = NativeExecutor(NativeOptions.model_validate({"executor": "net-run", **SHAPES, **options}))
    request = request_for(dlc(), "htp")
    artifact = executor.compile(request)
    assert artifact.path == request.directory.resolve() / "prepared.dlc"
    assert artifact.facts["compiled"] == "snpe-dlc-graph-prepare"
    assert artifact.facts["htp_socs"] == ["sm8650", "sm8750"]
    with zipfile.ZipFile(artifact.path) as archive:
        given = archive.read("stand-in.cache").decode().splitlines()
    assert given == [
        f"--input_dlc={request.model}",
        f"--output_dlc={artifact.path}",
        "--htp_socs=sm8650,sm8750",
        "--optimization_level=3",
        "--num_hvx_threads=4",
        "--htp_dlbc=true",
    ]
    with executor.load(artifact) as session:
        np.testing.assert_array_equal(session.run((X,))[0], 2 * X)
    assert executor.compile(request_for(dlc(), "cpu")).facts["compiled"] == "as it is"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("exit", "tool-failed"),
        ("crash", "tool-died"),
        ("hang", "tool-timeout"),
        ("missing", "compile-failed"),
        ("short", "compile-failed"),
    ],
)
def test_preparations_that_fail(
    tools: Path,
    dlc: Dlc,
    request_for: Callable[..., CompileRequest],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    code: str,
) -> None:
    monkeypatch.setenv("SNPE_STAND_IN_TOOL", fault)
    executor = NativeExecutor(NativeOptions(htp_socs=("sm8650",), prepare_timeout_s=2 if fault == "hang" else 60))
    with pytest.raises(BackendError) as caught:
        executor.compile(request_for(dlc(), "htp"))
    assert caught.value.code == code
    assert caught.value.hint
