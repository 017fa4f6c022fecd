from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe.qnn import onnx_file
from mlperf_mobile_backend_snpe.qnn.identity import Identity
from mlperf_mobile_backend_snpe.qnn.manifest import Tensor

Make = Callable[[str], Path]

BINARY = b"v2.51.0.260929181845 soc_type=SM8650;arch=75;"
X = Tensor(name="x:0", compiled="x_0", shape=(1, 4), dtype="uint8")
Y = Tensor(name="y", compiled="y", shape=(1, 2), dtype="float32")


@pytest.fixture
def context(onnx: Any, tmp_path: Path) -> Path:
    """A context model, with its binary beside it."""
    (tmp_path / "model.bin").write_bytes(BINARY)
    path = tmp_path / "model.onnx"
    onnx_file.write_context(path, tmp_path / "model.bin", [X], [Y], "2.51.0.260929181845")
    return path


def set_attribute(onnx: Any, path: Path, name: str, value: object) -> None:
    """Change, or with None take away, an attribute of the only node."""
    model = onnx.load_model_from_string(path.read_bytes())
    node = model.graph.node[0]
    kept = [each for each in node.attribute if each.name != name]
    del node.attribute[:]
    node.attribute.extend(kept if value is None else [*kept, onnx.helper.make_attribute(name, value)])
    path.write_bytes(model.SerializeToString())


def test_a_context_model_is_what_onnx_says_it_is(onnx: Any, context: Path) -> None:
    model = onnx.load_model_from_string(context.read_bytes())
    (node,) = model.graph.node
    assert (node.op_type, node.domain) == ("EPContext", "com.microsoft")
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    assert attributes["ep_cache_context"] == b"model.bin"
    assert (attributes["embed_mode"], attributes["main_context"]) == (0, 1)
    (x,), (y,) = model.graph.input, model.graph.output
    assert (x.name, x.type.tensor_type.elem_type) == ("x_0", onnx.TensorProto.UINT8)
    assert [each.dim_value for each in y.type.tensor_type.shape.dim] == [1, 2]


def test_its_binary_is_identified(context: Path) -> None:
    found = onnx_file.contexts(onnx_file.read(context), context)
    assert found == [Identity("2.51.0.260929181845", "SM8650")]


def test_an_embedded_binary_is_identified(onnx: Any, context: Path) -> None:
    set_attribute(onnx, context, "embed_mode", 1)
    set_attribute(onnx, context, "ep_cache_context", BINARY)
    assert onnx_file.contexts(onnx_file.read(context), context)[0].soc == "SM8650"


@pytest.mark.parametrize("name", ["../model.bin", "/etc/passwd", "sub/model.bin", "..", "", "a\0b"])
def test_a_binary_outside_of_the_folder_is_refused(onnx: Any, context: Path, name: str) -> None:
    set_attribute(onnx, context, "ep_cache_context", name)
    with pytest.raises(ModelError) as raised:
        onnx_file.contexts(onnx_file.read(context), context)
    assert raised.value.code == "context-damaged"


@pytest.mark.parametrize("source", ["OpenVINOExecutionProvider", None])
def test_another_providers_context_is_refused(onnx: Any, context: Path, source: str | None) -> None:
    set_attribute(onnx, context, "source", source)
    with pytest.raises(ModelError, match="not by QNN"):
        onnx_file.contexts(onnx_file.read(context), context)


def test_a_plain_model_has_no_contexts(make_onnx: Make) -> None:
    path = make_onnx("add")
    assert onnx_file.contexts(onnx_file.read(path), path) == []


def test_quantization_is_read_from_the_nodes_at_the_ends(make_onnx: Make) -> None:
    assert onnx_file.quantization(onnx_file.read(make_onnx("quantized"))) == {"x": (0.5, 10), "y": (0.5, 20)}
    assert onnx_file.quantization(onnx_file.read(make_onnx("add"))) == {}


def test_open_dimensions_are_the_samples(make_onnx: Make) -> None:
    path = make_onnx("open")
    assert onnx_file.free_dimensions(onnx_file.read(path), path, 3, {}) == {"N": 3}
    fixed = make_onnx("add")
    assert onnx_file.free_dimensions(onnx_file.read(fixed), fixed, 1, {}) == {}


def test_a_fixed_model_takes_no_batch(make_onnx: Make) -> None:
    path = make_onnx("add")
    with pytest.raises(ModelError) as raised:
        onnx_file.free_dimensions(onnx_file.read(path), path, 3, {})
    assert raised.value.code == "model-batch"


@pytest.mark.parametrize("change", ["second", "nameless"])
def test_other_open_dimensions_are_refused(onnx: Any, make_onnx: Make, change: str) -> None:
    path = make_onnx("open")
    model = onnx_file.read(path)
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    dimensions[0].Clear()
    if change == "second":
        dimensions[0].dim_value = 1
        dimensions[1].Clear()
        dimensions[1].dim_param = "M"
    with pytest.raises(ModelError) as raised:
        onnx_file.free_dimensions(model, path, 1, {})
    assert raised.value.code == {"second": "open-shape", "nameless": "model-shape"}[change]


def test_a_model_that_is_too_large_is_not_read(onnx: Any, make_onnx: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "MAX_BYTES", 10)
    with pytest.raises(ModelError) as raised:
        onnx_file.read(make_onnx("add"))
    assert raised.value.code == "model-too-large"


@given(st.binary(max_size=200))
def test_rubbish_is_damaged(onnx: Any, tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "rubbish.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError):
        onnx_file.read(path)


def test_without_the_package_onnx(make_onnx: Make, without: Callable[..., None]) -> None:
    path = make_onnx("add")
    without("onnx")
    with pytest.raises(BackendError) as raised:
        onnx_file.read(path)
    assert raised.value.code == "no-runtime"
    assert "[qnn]" in raised.value.hint
