"""Files of networks that are damaged: each is refused in one line, and none harms the runner."""

import json
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
from network_files import HEAD, changed, lowered, mutations

from mlperf_mobile.testing.c_library import compiler
from mlperf_mobile_neural_networks_stand_in import build

SOURCES = Path(__file__).resolve().parents[1] / "cpp" / "src"
JSON = SOURCES.parents[1] / "build" / "sources"
CODES = {
    "model-damaged", "runner-version", "driver-refused", "driver-failed", "device-memory", "out-of-memory",
    "unsupported-operations", "feature-level",
}  # fmt: skip


@pytest.fixture(scope="module")
def stand_in(built):
    return build(built, "neuralnetworks", flags=("-Werror",))


@pytest.fixture
def network(quickstart, tmp_path):
    """The bytes of a file with constants, scales of channels and 14 operations."""
    return lowered(quickstart / "fashion_mobilenet_int8.tflite", tmp_path / "whole.nnapi").read_bytes()


@pytest.fixture
def load(program, stand_in, tmp_path):
    """``load(content)``: what the program says of a file: the failure's code and summary, or None."""

    def load(content):
        path, plan = tmp_path / "network.nnapi", tmp_path / "plan.json"
        path.write_bytes(content)
        plan.write_text(json.dumps({"plan": 1, "engine": "nnapi", "library": str(stand_in), "model": str(path)}))
        command = [program, "--plan", plan, "--describe"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        told = [json.loads(line) for line in done.stdout.decode().splitlines()]
        assert len(told) == 1, (done.returncode, done.stdout[:300], done.stderr[:300])
        if done.returncode == 0:
            return None
        (failure,) = told
        assert (failure["event"], failure["exit_code"]) == ("failed", done.returncode)
        return failure["code"], failure["summary"]

    return load


def edited(path, value):
    def edit(description):
        *folders, name = path.split(".")
        place = description
        for folder in folders:
            place = place[int(folder)] if isinstance(place, list) else place[folder]
        name = int(name) if isinstance(place, list) else name
        if value is ...:
            del place[name]
        else:
            place[name] = value

    return partial(changed, edit=edit)


def of_channels(value):
    """Change the scales of the first operand that has one for each channel."""

    def edit(description):
        operand = next(each for each in description["operands"] if "channels" in each)
        operand["channels"] |= value

    return partial(changed, edit=edit)


def of_value(value):
    def edit(description):
        operand = next(each for each in description["operands"] if "value" in each)
        operand["value"] |= value

    return partial(changed, edit=edit)


def head(**fields):
    """Change the head of a file."""

    def change(content):
        magic, version, described, size = HEAD.unpack_from(content)
        told = {"magic": magic, "version": version, "described": described, "size": size} | fields
        return HEAD.pack(*told.values()) + content[HEAD.size :]

    return change


DAMAGES = {
    "empty": (lambda content: b"", "cannot be mapped"),
    "another file": (lambda content: b"TFL3" * 100, "no file of a network"),
    "head alone": (lambda content: content[:24], "its head counts others"),
    "half a head": (lambda content: content[:11], "no file of a network"),
    "cut": (lambda content: content[:-1], "its head counts others"),
    "longer": (lambda content: content + bytes(64), "its head counts others"),
    "description too long": (head(described=(1 << 32) - 1), "its head counts others"),
    "data too long": (head(size=(1 << 64) - 1), "its head counts others"),
    "not JSON": (lambda content: content.replace(b'{"feature_level"', b'["feature_level"'), "is not JSON"),
    "a field too many": (edited("more", 1), "more is unknown"),
    "no operands": (edited("operands", []), "operands are none"),
    "no operations": (edited("operations", []), "operations are none"),
    "feature level": (edited("feature_level", 9), "feature_level is not"),
    "operand's code": (edited("operands.0.code", 15), "operands.0.code is not"),
    "negative code": (edited("operands.0.code", -1), "operands.0.code is not"),
    "scalar with dimensions": (edited("operands.0.code", 0), "operands.0.dimensions do not belong"),
    "tensor without": (edited("operands.0.dimensions", []), "operands.0.dimensions do not belong"),
    "dimension of 0": (edited("operands.0.dimensions", [0]), "operands.0.dimensions has an item"),
    "too large": (edited("operands.0.dimensions", [1 << 31] * 4), "too large"),
    "dimensions that overflow": (edited("operands.0.dimensions", [1 << 16] * 8), "too large"),
    "scale": (edited("operands.0.scale", 1e300), "operands.0.scale is not"),
    "zero point": (edited("operands.0.zero_point", 1 << 31), "operands.0.zero_point is not"),
    "value beyond the data": (of_value({"offset": 1 << 40}), "value.offset is not"),
    "value past the end": (of_value({"offset": "last"}), "value.offset is not"),
    "value between places": (of_value({"offset": 3}), "value.offset is not the place"),
    "value of another size": (of_value({"bytes": 1}), "value.bytes is not"),
    "channels of another number": (of_channels({"count": 1 << 20}), "channels.count is not"),
    "channels of another dimension": (of_channels({"dimension": 4}), "channels.dimension is not"),
    "channels beyond the data": (of_channels({"offset": 1 << 40}), "channels.offset is not"),
    "operation's input": (edited("operations.0.inputs.0", 1 << 20), "operations.0.inputs has an item"),
    "operation's output": (edited("operations.0.outputs", []), "operations.0 has no inputs, or no outputs"),
    "operation without a source": (edited("operations.0.sources", []), "operations.0.sources is empty"),
    "input": (edited("inputs.0", 1 << 20), "inputs has an item"),
    "no inputs": (edited("inputs", []), "input_tensors are not one"),
    "no outputs": (edited("output_tensors", []), "output_tensors are not one"),
    "input's size": (edited("input_tensors.0.bytes", 1), "input_tensors.0.bytes is not"),
    "output's shape": (edited("output_tensors.0.shape", [1, 11]), "output_tensors.0.bytes is not the size"),
    "output's type": (edited("output_tensors.0.dtype", "text"), "output_tensors.0.bytes is not the size"),
    "a missing field": (edited("outputs", ...), "outputs is missing"),
}


@pytest.mark.parametrize(("damage", "told"), DAMAGES.values(), ids=DAMAGES)
def test_each_kind_of_damage_is_named(load, network, damage, told):
    code, summary = load(damage(network))
    assert code == "model-damaged"
    assert told in summary
    assert "\n" not in summary


def test_another_version(load, network):
    code, summary = load(head(version=2)(network))
    assert code == "runner-version"
    assert "has version 2, and this runner reads version 1" in summary


def test_a_whole_file_is_loaded(load, network):
    assert load(network) is None
    assert load(changed(network, lambda description: None)) is None


def test_a_constant_that_enters_or_leaves(load, network):
    def constant(description):
        return next(index for index, each in enumerate(description["operands"]) if "value" in each)

    def enters(description):
        description["inputs"] = [constant(description)]

    def written(description):
        description["operations"][0]["outputs"] = [constant(description)]

    assert "inputs has a constant" in load(changed(network, enters))[1]
    assert "operations.0.outputs has a constant" in load(changed(network, written))[1]


def test_damage_by_chance_never_ends_the_program_by_a_signal(load, network):
    found = {(load(content) or ("loaded",))[0] for content in mutations(network, 60, seed=1)}
    assert "model-damaged" in found
    assert found <= CODES | {"loaded"}


@pytest.fixture(scope="session")
def sanitized(built):
    """A program that reads files of networks, under the address and undefined behaviour sanitizers."""
    found = sorted(JSON.glob("nlohmann-json-*/nlohmann_json/include"))
    tool = shutil.which("c++") or shutil.which("g++")
    if not found or not tool or not compiler():
        pytest.skip("there are no sources of the runner: make runner")
    program = built / "read_networks"
    sources = [Path(__file__).with_name("read_networks.cc"), SOURCES / "nnapi_network.cc", SOURCES / "tensor.cc"]
    flags = ["-std=c++17", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [tool, *flags, "-I", SOURCES, "-isystem", found[0], *sources, "-o", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and re.search(r"lib[au][sb]san", done.stderr):
        pytest.skip("there are no sanitizers")
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.nightly
@pytest.mark.slow
def test_files_are_read_within_their_bounds(sanitized, network, tmp_path):
    """Every constant of every file that is taken, too."""
    paths = [tmp_path / f"{number}.nnapi" for number in range(600)]
    for path, content in zip(paths, mutations(network, len(paths), seed=2), strict=True):
        path.write_bytes(content)
    done = subprocess.run([sanitized, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert len(told) == len(paths)
    assert set(told) <= {"read", "model-damaged", "runner-version"}
    assert "read" in told
