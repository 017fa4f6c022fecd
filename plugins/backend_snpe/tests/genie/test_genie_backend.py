"""The backend's offer, its probe, and what it refuses before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlperf_mobile import needs
from mlperf_mobile.config.model_folder import files_of
from mlperf_mobile.contracts import Artifact, CompileRequest
from mlperf_mobile.errors import BackendError
from mlperf_mobile.plugin import Capability
from mlperf_mobile.testing.c_library import compile_c
from mlperf_mobile_backend_snpe import plugin
from mlperf_mobile_backend_snpe.genie import backend as module
from mlperf_mobile_backend_snpe.genie.backend import GenieBackend
from mlperf_mobile_backend_snpe.genie.options import GenieOptions
from mlperf_mobile_backend_snpe.native import sdk

SOURCE = Path(__file__).with_name("genie_stand_in.c")


@pytest.fixture(autouse=True)
def no_sdk(monkeypatch):
    """Tests see the stand-in alone, whatever this machine has."""
    for variable in sdk.ROOTS:
        monkeypatch.delenv(variable, raising=False)


def backend(library=None, **options):
    return GenieBackend(GenieOptions(library=str(library) if library else None, **options))


def offer():
    (info,) = [each for each in plugin.mlperf_mobile_backends() if each.name == "genie"]
    return info


def test_the_offer():
    info = offer()
    assert info.model_formats == (module.config.FORMAT,)
    assert info.capabilities == {Capability.TOKEN_STREAM}
    assert info.backend.load() is GenieBackend
    assert info.options.load() is GenieOptions
    (need,) = info.needs
    assert (need.libraries, "libGenie.so" in need.what) == (("libGenie.so",), True)
    assert needs.missing(info.needs, ("library",)) is None


class TestProbe:
    def test_of_the_stand_in(self, library):
        probe = backend(library).probe()
        assert (probe.usable, probe.runtime, probe.versions) == (True, "Genie 1.10.0", {"genie": "1.10.0"})
        assert probe.accelerators == ("htp", "gpu", "cpu")
        assert set(probe.functional_only) == set(probe.accelerators)
        assert "stand-in" in probe.functional_only["htp"]

    def test_of_an_sdk(self, library, tmp_path, monkeypatch):
        folder = tmp_path / "lib" / f"{sdk.platform.machine()}-linux-clang"
        folder.mkdir(parents=True)
        (folder / "libGenie.so").symlink_to(library)
        monkeypatch.setenv("QAIRT_SDK_ROOT", str(tmp_path))
        assert backend().probe().usable
        assert needs.missing(offer().needs) is None

    @pytest.mark.skipif(needs._has_library("libGenie.so"), reason="Genie is installed here")
    def test_without_a_library(self):
        probe = backend().probe()
        assert (probe.usable, probe.reason) == (False, "Genie: library libGenie.so not found")
        assert "QAIRT" in probe.fix

    def test_of_an_older_library(self, tmp_path):
        """One line names the functions that it lacks, and the version that has them."""
        renamed = [f"-DGenieDialog_{name}=Other_{name}" for name in ("setMaxNumTokens", "signal")]
        probe = backend(compile_c(tmp_path / "libGenie.so", SOURCE, *renamed)).probe()
        assert not probe.usable
        assert "it lacks GenieDialog_setMaxNumTokens, GenieDialog_signal" in probe.reason
        assert probe.fix == "Genie needs the one of QAIRT 2.45 or later"

    def test_of_something_else(self, tmp_path):
        (tmp_path / "libGenie.so").write_text("no library")
        assert "not a shared library" in backend(tmp_path / "libGenie.so").probe().reason

    def test_without_the_drivers_of_its_accelerators(self, library, monkeypatch):
        monkeypatch.setattr(module.Library, "stand_in", "")
        monkeypatch.setitem(module.DRIVERS, "htp", ("/nowhere",))
        monkeypatch.setitem(module.DRIVERS, "gpu", (str(library),))
        assert backend(library).probe().accelerators == ("gpu", "cpu")


def test_other_tasks_are_refused(library, bundle):
    with pytest.raises(BackendError, match="genie-only"):
        backend(library).compile(CompileRequest(bundle() / "genie_config.json", "htp"))


def test_another_accelerator_than_the_configurations(library, bundle):
    folder = bundle()
    files = files_of(folder, "a test")
    artifact = Artifact(folder / "genie_config.json", "cpu", tokens=True, files=files)
    with pytest.raises(BackendError, match=r"no-accelerator.*is for QnnHtp, which is accelerator htp, not cpu"):
        backend(library).load(artifact)
    with pytest.raises(BackendError, match="batch-size"):
        backend(library).load(Artifact(artifact.path, "htp", 2, tokens=True, files=files))


def test_shards_are_an_option(library):
    assert (backend(library).shards, backend(library, shards=2).shards) == (1, 2)
