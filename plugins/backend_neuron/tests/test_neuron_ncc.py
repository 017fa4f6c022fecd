"""The program ncc-tflite is called as its makers describe it; the one here is a stand-in, a script of the test."""

from __future__ import annotations

import pytest

from mlperf_mobile.errors import MobileError
from mlperf_mobile_backend_neuron import ncc
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_backend_neuron.soc import Soc


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """``compiler(script)``: a stand-in for ncc-tflite on PATH; it gets the model and the output as $model and $out."""

    def compiler(script):
        folder = tmp_path / "sdk" / "host" / "bin"
        folder.mkdir(parents=True)
        program = folder / "ncc-tflite"
        find = 'for word; do [ "$before" = -d ] && out=$word; before=$word; done; model=$before\n'
        program.write_text(f"#!/bin/sh\necho ncc-tflite stand-in\n{find}{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return compiler


@pytest.fixture
def model(tmp_path):
    file = tmp_path / "-net; touch x.tflite"
    file.write_bytes(b"model")
    return file


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def compiled(model, folder, soc=None, **options):
    return ncc.compile_file(model, folder, NeuronOptions(**options), soc)


def test_it_is_called_with_a_list(compiler, model, folder):
    compiler('printf "%s\\n" "$@" > "$out"')
    file = compiled(model, folder, arch="mdla5.1,edpa1.0", ncc_options=("--opt-bw", "-O3"))
    words = file.read_text().splitlines()
    assert words == ["--arch=mdla5.1,edpa1.0", "--relax-fp32", "--opt-bw", "-O3", "-d", str(file), str(model)]


def test_full_precision(compiler, model, folder):
    compiler('printf "%s\\n" "$@" > "$out"')
    assert "--relax-fp32" not in compiled(model, folder, arch="mdla3.0", allow_fp16=False).read_text()


@pytest.mark.parametrize(
    ("options", "soc", "arch"),
    [
        ({}, Soc("mt8395", "2.0"), "mdla2.0"),
        ({"soc": "MT6989"}, Soc("mt8395", "2.0"), "mdla5.1"),
        ({"soc": "mt6989", "arch": "mdla3.0"}, None, "mdla3.0"),
    ],
)
def test_the_architecture(options, soc, arch):
    assert ncc.architecture(NeuronOptions(**options), soc) == arch


@pytest.mark.parametrize(("options", "soc"), [({}, None), ({"soc": "mt6853"}, None), ({}, Soc("mt6853"))])
def test_no_architecture(options, soc):
    with pytest.raises(MobileError) as caught:
        ncc.architecture(NeuronOptions(**options), soc)
    assert caught.value.code == "no-architecture"


FAULTS = {
    'echo "ERROR: OP BATCH_MATMUL is not supported" >&2; exit 3': ("compiler-refused", "BATCH_MATMUL is not supported"),
    "exit 0": ("compiler-refused", "wrote no .dla file"),
    ': > "$out"': ("compiler-refused", "wrote no .dla file"),
    "kill -SEGV $$": ("compiler-refused", "died of SIGSEGV"),
    "printf '\\033[31m\\000\\377 red'; exit 1": ("compiler-refused", "red"),
    "yes | head -c 3000000; exit 1": ("compiler-refused", "y / y"),
}


@pytest.mark.parametrize(("script", "expected"), FAULTS.items(), ids=FAULTS)
def test_failures(compiler, model, folder, script, expected):
    compiler(script)
    with pytest.raises(MobileError) as caught:
        compiled(model, folder, arch="mdla3.0")
    code, told = expected
    assert caught.value.code == code
    assert told in caught.value.summary
    assert caught.value.summary.isprintable()
    assert len(caught.value.summary) < 1000


@pytest.mark.slow
def test_a_compiler_that_hangs(compiler, model, folder):
    compiler("exec sleep 3600")
    with pytest.raises(MobileError) as caught:
        compiled(model, folder, arch="mdla3.0", compile_seconds=1)
    assert caught.value.code == "compiler-slow"


def test_no_compiler(model, folder, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MobileError) as caught:
        compiled(model, folder, arch="mdla3.0")
    assert caught.value.code == "compiler-missing"
    assert "PATH" in caught.value.hint


def test_a_compiler_for_another_machine(model, folder, monkeypatch, tmp_path):
    program = tmp_path / "ncc-tflite"
    program.write_bytes(b"\x7fELF\x02\x01\x01" + b"\0" * 100)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MobileError) as caught:
        compiled(model, folder, arch="mdla3.0")
    assert caught.value.code == "compiler-missing"
    assert "cannot be started" in caught.value.summary
