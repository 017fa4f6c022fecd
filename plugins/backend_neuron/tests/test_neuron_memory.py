"""Memory of each kind; a heap of DMA buffers is played by an anonymous file, as this machine has none."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from mlperf_mobile.errors import MobileError
from mlperf_mobile_backend_neuron import memory


def test_host_memory_starts_at_a_page():
    for size in (1, 4095, 4096, 100_001):
        buffer = memory.host(size)
        assert buffer.data.nbytes == size
        assert buffer.data.ctypes.data % 4096 == 0
        buffer.data[:] = 7  # it is all there


@pytest.fixture
def heap(monkeypatch):
    """The files that stand for DMA buffers."""
    files = []

    def allocate(heap, size):
        assert heap == "system"
        file = os.memfd_create("dma")
        os.ftruncate(file, size)
        files.append(file)
        return file

    monkeypatch.setattr(memory, "_allocate", allocate)
    return files


def test_dma_buffers(backend, load, double, heap, tmp_path):
    """The adapter gets the file, computes in it, and lets it go."""
    trace = tmp_path / "trace"
    with load(backend(memory="dma", TRACE=trace), double) as session:
        (y,) = session.run((np.array([[1, 2, 3, 4]], np.float32),))
        np.testing.assert_array_equal(y, [[2, 4, 6, 8]])
        assert len(heap) == 2
        assert [np.frombuffer(os.pread(file, 16, 0), np.float32).tolist() for file in heap] == [
            [1, 2, 3, 4],
            [2, 4, 6, 8],
        ]
        del y
    calls = [line.split()[0] for line in trace.read_text().splitlines()]
    assert calls.count("NeuronMemory_createFromFd") == calls.count("NeuronMemory_free") == 2
    assert "NeuronExecution_setInputFromMemory" in calls
    for file in heap:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(file)


def test_a_refused_dma_buffer_is_closed(backend, load, double, heap):
    with pytest.raises(MobileError) as caught:
        load(backend(memory="dma", FAIL="NeuronMemory_createFromFd=UNMAPPABLE"), double)
    assert "NeuronMemory_createFromFd" in caught.value.summary
    for file in heap:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(file)


def test_no_such_heap(backend, load, double):
    with pytest.raises(MobileError) as caught:
        load(backend(memory="dma", dma_heap="no-such-heap"), double)
    assert caught.value.code == "memory-missing"
    assert "/dev/dma_heap/no-such-heap" in caught.value.summary


@pytest.mark.skipif(hasattr(sys, "getandroidapilevel"), reason="Android has them")
def test_no_hardware_buffers(backend, load, double):
    with pytest.raises(MobileError) as caught:
        load(backend(memory="ahwb"), double)
    assert caught.value.code == "memory-missing"
