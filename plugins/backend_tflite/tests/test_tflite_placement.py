from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import Placement
from mlperf_mobile_backend_tflite.placement import Node, partitions, place, read_nodes
from mlperf_mobile_tflite_model.model_file import check

ROW = np.array([[1, -2, 0.5, 4]], np.float32)


def with_memory(*tensors: int):
    return lambda tensor: tensor in tensors


# Two chains that meet: 0 -A-> 1 -B-> 2, 0 -C-> 3, (2, 3) -D-> 4. Tensor 9 is a constant of B.
CHAIN = [Node("A", (0,), (1,)), Node("B", (1, 9), (2,)), Node("C", (0,), (3,)), Node("D", (2, 3, -1), (4,))]


def test_without_delegates() -> None:
    placed = place(CHAIN, [4], frozenset(), with_memory())
    assert placed == Placement({"cpu": 4}, {"builtin": 4}, {"cpu": {"A": 1, "B": 1, "C": 1, "D": 1}})


def test_one_partition_of_several_operations() -> None:
    nodes = [*CHAIN, Node("DELEGATE", (0, 9), (2,))]
    placed = place(nodes, [4], frozenset(), with_memory(2, 3, 4))
    assert placed == Placement({"cpu": 4}, {"xnnpack": 2, "builtin": 2}, {"cpu": {"A": 1, "B": 1, "C": 1, "D": 1}})


def test_an_operation_that_only_a_partition_reads() -> None:
    nodes = [*CHAIN, Node("DELEGATE", (1, 9), (2,))]
    assert place(nodes, [4], frozenset(), with_memory()).kernels == {"xnnpack": 1, "builtin": 3}


def test_the_external_delegates_partitions_are_distinguished_from_xnnpacks() -> None:
    external = ((0, 9), (2,))
    nodes = [*CHAIN, Node("DELEGATE", *external), Node("DELEGATE", (0,), (3,))]
    placed = place(nodes, [4], frozenset({external}), with_memory(2, 3, 4))
    assert placed.operations == {"cpu": 2, "delegate": 2}
    assert placed.kernels == {"delegate": 2, "xnnpack": 1, "builtin": 1}
    assert placed.names == {"delegate": {"A": 1, "B": 1}, "cpu": {"C": 1, "D": 1}}


def test_a_partition_does_not_reach_through_another() -> None:
    nodes = [*CHAIN, Node("DELEGATE", (0,), (1,)), Node("DELEGATE", (1, 9, 0), (4,))]
    placed = place(nodes, [4], frozenset({((0,), (1,))}), with_memory(1, 4))
    assert placed.names == {"delegate": {"A": 1}, "cpu": {"B": 1, "C": 1, "D": 1}}


def test_several_outputs_of_one_operation_count_once() -> None:
    nodes = [Node("SPLIT", (0,), (1, 2)), Node("ADD", (1, 2), (3,)), Node("DELEGATE", (0,), (2, 3))]
    assert place(nodes, [2, 3], frozenset(), with_memory(2, 3)).kernels == {"xnnpack": 2}


def test_an_operation_that_nobody_reads_runs_if_its_result_has_memory() -> None:
    nodes = [Node("A", (0,), (1,)), Node("LOST", (0,), (2,)), Node("DELEGATE", (0,), (1,))]
    assert place(nodes, [1], frozenset(), with_memory(1, 2)).operations == {"cpu": 2}
    assert place(nodes, [1], frozenset(), with_memory(1)).operations == {"cpu": 1}


def test_a_chain_that_nobody_reads() -> None:
    nodes = [
        Node("A", (0,), (1,)), Node("LOST", (0,), (2,)), Node("LOST", (2,), (3,)), Node("DELEGATE", (0,), (1,)),
    ]  # fmt: skip
    assert place(nodes, [1], frozenset(), with_memory(1)).names == {"cpu": {"A": 1}}


def test_partitions() -> None:
    assert partitions([*CHAIN, Node("DELEGATE", (0,), (1,))]) == {((0,), (1,))}


def test_a_runtime_that_does_not_tell() -> None:
    class Silent:
        pass

    class Confused:
        def _get_ops_details(self) -> None:
            raise ValueError("Could not get tensor details")

    assert read_nodes(Silent()) == []
    assert read_nodes(Confused()) == []


def test_unknown_is_what_a_session_then_says(load, monkeypatch) -> None:
    with load("mixed") as session:
        monkeypatch.setattr("mlperf_mobile_backend_tflite.session.read_nodes", lambda _: [])
        assert session.placement().operations == {"unknown": 5}


# -------------------------------------------------------------------------------------------- real sessions


def test_xnnpack(load) -> None:
    with load("mixed") as session:
        assert session.placement() == Placement({"cpu": 5}, {"xnnpack": 5}, {"cpu": {"ADD": 3, "MUL": 1, "RELU": 1}})


def test_xnnpack_switched_off(load) -> None:
    with load("mixed", xnnpack=False) as session:
        assert session.placement().kernels == {"builtin": 5}


def test_what_xnnpack_leaves(load) -> None:
    """It has no int32 multiplication."""
    with load("two") as session:
        assert session.placement() == Placement({"cpu": 2}, {"xnnpack": 1, "builtin": 1}, {"cpu": {"ADD": 1, "MUL": 1}})


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dynamic", ["0", "1"])
@pytest.mark.parametrize(("take", "taken"), [("0", 0), ("1", 1), ("2", 2), ("9", 3)])
@pytest.mark.parametrize("xnnpack", [True, False])
def test_a_real_delegate(load, delegate: str, batch: int, dynamic: str, take: str, taken: int, xnnpack: bool) -> None:
    """The test delegate takes so many of the three additions, and tells its partitions from XNNPACK's or not."""
    options = {"delegate": delegate, "delegate_options": {"take": take, "dynamic": dynamic}, "xnnpack": xnnpack}
    with load("mixed", batch=batch, accelerator="delegate", **options) as session:
        placed = session.placement()
        np.testing.assert_allclose(session.run((ROW,))[0], [[4, -2, 4, 40]])
    assert placed.operations.get("delegate", 0) == taken
    assert placed.names.get("delegate", {}) == ({"ADD": taken} if taken else {})
    assert placed.operations["cpu"] == 5 - taken
    assert placed.kernels.get("delegate", 0) == taken
    if not xnnpack:
        assert "xnnpack" not in placed.kernels
    elif taken:
        assert placed.kernels["xnnpack"] == 5 - taken


@pytest.mark.parametrize(
    ("xnnpack", "possible"),
    [
        (False, [{"delegate": 1, "builtin": 1}]),
        # Both runtimes drop all delegates when XNNPACK cannot follow the other one; one that does not may come.
        (True, [{"builtin": 2}, {"delegate": 1, "xnnpack": 1}]),
    ],
)
def test_a_delegate_that_takes_less_of_a_batch(load, delegate: str, xnnpack: bool, possible: list[object]) -> None:
    """One of two additions no longer suits it then: what it took before the resize says nothing."""
    with load("constant", accelerator="delegate", delegate=delegate, xnnpack=xnnpack) as session:
        assert session.placement().kernels == {"delegate": 2}
    with load("constant", batch=3, accelerator="delegate", delegate=delegate, xnnpack=xnnpack) as session:
        assert session.placement().kernels in possible
        np.testing.assert_array_equal(session.run_batch([(ROW,), (-ROW,)])[1][0], -2 * ROW + [[1, 2, 3, 4]])


def test_a_delegate_that_takes_all(load, delegate: str) -> None:
    with load("add", accelerator="delegate", delegate=delegate) as session:
        assert session.placement() == Placement({"delegate": 1}, {"delegate": 1}, {"delegate": {"ADD": 1}})


def test_a_delegate_that_takes_nothing(load, delegate: str) -> None:
    with load("quantized", accelerator="delegate", delegate=delegate) as session:
        assert session.placement().operations == {"cpu": 1}


def test_an_unread_sum_inside_a_partition_is_not_blamed_on_the_cpu(load, delegate: str) -> None:
    with load("unread", accelerator="delegate", delegate=delegate) as session:
        assert session.placement().names == {"delegate": {"ADD": 1}, "cpu": {"MUL": 1}}
    with load("unread", xnnpack=False) as session:
        assert session.placement().names == {"cpu": {"ADD": 2, "MUL": 1}}


REAL = {
    "deeplabv3_float": (70, 10),
    "efficientnet_lite0_uint8": (64, 0),
    "esrgan_slim_x2_uint8": (26, 0),
    "mobilebert_qa_random_dynint8": (959, None),
    "ssd_mobilenetv2_oidv4_fp16": (241, 10),
}
"""Operations, and float additions of two tensors of one shape without activation (counted in the file)."""


@pytest.mark.parametrize("model", REAL)
def test_real_models_account_for_every_operation(load, shared: Path, delegate: str, model: str) -> None:
    path = shared / f"{model}.tflite"
    total, additions = REAL[model]
    assert check(path).operators == total
    with load(path, xnnpack=False) as session:
        assert session.placement().kernels == {"builtin": total}
        names = session.placement().names["cpu"]
    with load(path) as session:
        assert session.placement().operations == {"cpu": total}
        assert session.placement().names["cpu"] == names
    with load(path, accelerator="delegate", delegate=delegate) as session:
        placed = session.placement()
        assert sum(placed.operations.values()) == sum(placed.kernels.values()) == total
        if additions is not None:
            assert placed.operations.get("delegate", 0) == additions
