"""Devices, placement, parts, the driver's cache, and what sessions report, on the stand-in."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact, CompileRequest
from mlperf_mobile.errors import BackendError, ModelError

X = np.array([[1, -2, 0.5, 4]], np.float32)


class TestDevices:
    def test_probe(self, backend):
        """Kinds are accelerators; those that do not tell what they are are no NPUs."""
        devices = "a:accelerator:31,b:gpu:1000006,c:other:29,nnapi-reference:cpu,a2:accelerator:30"
        probe = backend(DEVICES=devices).probe()
        assert probe.accelerators == ("npu", "gpu", "other", "cpu")
        assert [(d.accelerator, d.name, d.facts["feature_level"]) for d in probe.devices] == [
            ("npu", "a", 5), ("gpu", "b", 6), ("other", "c", 3), ("cpu", "nnapi-reference", 8), ("npu", "a2", 4),
        ]  # fmt: skip
        assert set(probe.versions) == {"nnapi", "a", "b", "c", "nnapi-reference", "a2"}
        assert "stand-in" in probe.runtime
        assert set(probe.functional_only) == set(probe.accelerators)

    def test_one_device_is_selected(self, backend, load, double, tmp_path):
        one = backend(DEVICES="a:accelerator,b:gpu,c:accelerator", device="c")
        assert [device.name for device in one.probe().devices] == ["c"]
        artifact = one.compile(CompileRequest(double, "npu", directory=tmp_path))
        assert artifact.facts["device"] == "c"
        with pytest.raises(BackendError) as caught:
            load(one, double, accelerator="gpu")
        assert (caught.value.code, caught.value.hint) == ("no-accelerator", "it has npu (c)")

    @pytest.mark.parametrize(
        ("devices", "options", "reason"),
        [
            ("none", {}, "NNAPI lists no device"),
            ("a:accelerator", {"device": "b"}, "NNAPI has no device 'b'"),
            ("nnapi-reference:cpu", {"disallow_cpu": True}, "NNAPI lists no device"),
        ],
    )
    def test_none_is_left(self, backend, double, devices, options, reason):
        unusable = backend(DEVICES=devices, **options)
        assert (unusable.probe().usable, unusable.probe().reason) == (False, reason)
        with pytest.raises(BackendError) as caught:
            unusable.load(Artifact(double, "npu"))
        assert caught.value.code == "no-device"

    def test_the_cpu_is_a_device_too(self, backend, load, double):
        with load(backend(), double, accelerator="cpu") as session:
            np.testing.assert_array_equal(session.run((X,))[0], 2 * X)
            assert session.placement().operations == {"cpu": 1}


class TestPlacement:
    def test_all_on_the_device(self, backend, load, double):
        with load(backend(), double) as session:
            placement = session.placement()
        assert (placement.operations, placement.kernels, placement.names) == (
            {"npu": 1},
            {"nnapi": 1},
            {"npu": {"ADD": 1}},
        )

    def test_what_the_device_does_not_take_is_named(self, backend, double, tmp_path):
        with pytest.raises(ModelError) as caught:
            backend(UNSUPPORTED="ADD").compile(CompileRequest(double, "npu", 1, tmp_path / "new"))
        assert caught.value.code == "unsupported-operations"
        assert "stand-in-npu does not support 1 of 1 operators of double.tflite: 1 ADD" in caught.value.summary

    def test_nothing_is_left_to_divide(self, backend, load, double):
        with pytest.raises(ModelError, match="supports none of the operations"):
            load(backend(UNSUPPORTED="ADD", partial=True), double)


class TestSettings:
    @pytest.mark.parametrize(
        ("options", "called"),
        [
            ({}, {"Compilation_setPreference", "Compilation_setCaching", "Burst_create", "Execution_burstCompute",
                  "Execution_setReusable", "Execution_setMeasureTiming", "Execution_getDuration"}),
            ({"priority": "low"}, {"Compilation_setPriority"}),
            ({"allow_fp16": True}, {"Model_relaxComputationFloat32toFloat16"}),
            ({"run_timeout_s": 10}, {"Execution_setTimeout"}),
            ({"burst": False}, {"Execution_compute"}),
        ],
    )  # fmt: skip
    def test_reach_the_driver(self, backend, load, double, tmp_path, options, called):
        trace = tmp_path / "trace"
        with load(backend(TRACE=trace, **options), double) as session:
            session.run((X,))
        calls = {line.split()[0].removeprefix("ANeuralNetworks") for line in trace.read_text().splitlines()}
        assert called <= calls
        if not options:
            assert not calls & {"Compilation_setPriority", "Execution_setTimeout", "Execution_compute"}

    def test_left_out(self, backend, load, double, tmp_path):
        trace = tmp_path / "trace"
        with load(backend(TRACE=trace, burst=False, timing=False, driver_cache=False), double) as session:
            session.run((X,))
            assert session.report() == {"burst": False, "shared_memory": True, "reused": True}
        calls = trace.read_text()
        for name in ("Burst_create", "getDuration", "setMeasureTiming", "setCaching"):
            assert name not in calls


class TestRuns:
    @pytest.mark.parametrize("level", [3, 4, 5, None])
    def test_on_every_feature_level(self, backend, load, double, stand_in, level):
        """Executions are for one run each before level 5, and one for all from then on."""
        old = backend(stand_in(feature_level=level) if level else stand_in())
        with load(old, double) as session:
            for factor in (1, 2, 3):
                np.testing.assert_array_equal(session.run((factor * X,))[0], 2 * factor * X)
            assert session.report()["reused"] is (level is None or level >= 5)

    def test_durations(self, backend, load, double):
        with load(backend(), double) as session:
            for _ in range(10):
                session.run((X,))
            told = session.report()
        for kind in ("on_hardware", "in_driver"):
            assert told[kind]["count"] == 10
            assert 0 < told[kind]["p50_ns"] <= told[kind]["p90_ns"] < 1e9

    def test_outputs_outlive_the_session(self, backend, load, double):
        """Whoever still has one reads what was there, and no memory that is gone."""
        with load(backend(), double) as session:
            (y,) = session.run((X,))
        np.testing.assert_array_equal(y, 2 * X)

    @pytest.mark.parametrize("level", [4, 5])
    def test_a_closed_session_touches_nothing(self, backend, load, double, stand_in, level):
        """Not even through its function, got before."""
        with load(backend(stand_in(feature_level=level)), double) as session:
            run = session.run
            run((X,))
        for closed in (session.run, run):
            with pytest.raises(BackendError) as caught:
                closed((X,))
            assert caught.value.code == ("session-closed" if closed is not run else "driver-failed")

    def test_no_file_stays_open(self, backend, load, double):
        engine = backend()
        with load(engine, double) as session:
            session.run((X,))
        gc.collect()  # of other tests
        before = os.listdir("/proc/self/fd")
        for _ in range(5):
            with load(engine, double) as session:
                session.run((X,))
        assert len(os.listdir("/proc/self/fd")) == len(before)

    @pytest.mark.parametrize("wrong", [(), (X, X), (X[0],), (X.astype(np.float64),), (None,), None, ("abcd",)])
    def test_samples_that_do_not_fit(self, backend, load, double, wrong):
        with load(backend(), double) as session:
            with pytest.raises(BackendError) as caught:
                session.run(wrong)
            assert caught.value.code == "input-mismatch"
            assert caught.value.summary.startswith("double.tflite: ")
            np.testing.assert_array_equal(session.run((X,))[0], 2 * X)

    def test_one_sample_a_call(self, backend, double, tmp_path):
        with pytest.raises(BackendError) as caught:
            backend().compile(CompileRequest(double, "npu", 2, tmp_path))
        assert caught.value.code == "batch-size"


class TestDriverCache:
    def hits(self, trace: Path) -> int:
        return trace.read_text().count("cache-hit")

    def test_what_was_compiled_is_found(self, backend, double, tmp_path):
        trace, folder = tmp_path / "trace", tmp_path / "artifact"
        folder.mkdir()
        artifact = backend().compile(CompileRequest(double, "npu", 1, folder))
        assert artifact.path == folder / double.name
        assert artifact.facts["cached"]
        moved = folder.rename(tmp_path / "moved") / double.name
        with backend(TRACE=trace).load(Artifact(moved, "npu", 1, artifact.facts)) as session:
            np.testing.assert_array_equal(session.run((X,))[0], 2 * X)
        assert self.hits(trace) == 1

    @pytest.mark.parametrize("options", [{"preference": "low_power"}, {"allow_fp16": True}, {"priority": "high"}])
    def test_other_settings_are_another_network(self, backend, double, tmp_path, options):
        trace = tmp_path / "trace"
        artifact = backend().compile(CompileRequest(double, "npu", 1, tmp_path))
        with backend(TRACE=trace, **options).load(artifact) as session:
            session.run((X,))
        assert self.hits(trace) == 0

    @pytest.mark.parametrize("damage", [b"", b"rubbish", None])
    def test_damaged(self, backend, double, tmp_path, damage):
        """The driver compiles anew."""
        artifact = backend().compile(CompileRequest(double, "npu", 1, tmp_path))
        kept = [path for path in (tmp_path / "driver").iterdir() if path.is_file()]
        assert kept
        for path in kept:
            data = path.read_bytes()
            path.write_bytes(data[: len(data) // 2] if damage is None else damage)
        with backend().load(artifact) as session:
            np.testing.assert_array_equal(session.run((X,))[0], 2 * X)

    def test_a_driver_that_keeps_nothing(self, backend, double, tmp_path):
        folder = tmp_path / "artifact"
        folder.mkdir()
        artifact = backend(driver_cache=False).compile(CompileRequest(double, "npu", 1, folder))
        assert (artifact.path, list(folder.iterdir())) == (double, [])
