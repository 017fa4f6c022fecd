"""Functions are declared, called, and blamed by name; results become errors with codes of their own."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from mlperf_mobile.errors import BackendError
from mlperf_mobile.testing.c_library import compile_c
from mlperf_mobile_neural_networks.devices import MOST, devices, feature_level
from mlperf_mobile_neural_networks.driver import FAULTS, Dialect, Driver

SOURCE = """
#include <stdint.h>
static int freed, device;
int Toy_getDeviceCount(uint32_t *count) { *count = 1000000; return 0; }
int Toy_getDevice(uint32_t index, void **found) { *found = &device; return 0; }
int ToyDevice_getName(const void *d, const char **name) { *name = "a\\033[31m \\xff\\nb"; return d != &device; }
int ToyModel_create(void **model) { *model = &freed; return 0; }
int ToyCompilation_create(void *model, void **compilation) { return model != &freed; }
void ToyCompilation_free(void *c) { }
int ToyModel_finish(void *model) { return *(int *)model; }
void ToyModel_free(void *model) { ++*(int *)model; }
int toy_freed(void) { return freed; }
"""

RESULTS = dict(enumerate(FAULTS, 1)) | {20: "OP_FAILED"}


def dialect(**changes) -> Dialect:
    settings = {"prefix": "Toy", "title": "the toy API", "results": RESULTS, "required": (), "since": "version 2"}
    return Dialect(**(settings | changes))


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    return compile_c(tmp_path_factory.mktemp("toy") / "libtoy.so", SOURCE, "-w")


def test_a_library_that_is_too_old(library):
    with pytest.raises(BackendError) as caught:
        Driver(str(library), dialect(required=("_getDeviceCount", "Burst_create", "Execution_compute")))
    assert caught.value.code == "library-too-old"
    assert "it lacks ToyBurst_create, ToyExecution_compute" in caught.value.summary
    assert "version 2" in caught.value.hint


def test_a_function_that_is_not_there(library):
    driver = Driver(str(library), dialect())
    assert not driver.has("Compilation_setPriority")
    with pytest.raises(BackendError) as caught:
        driver.call("Compilation_setPriority", None, 90)
    assert caught.value.code == "library-symbol"
    assert "ToyCompilation_setPriority" in caught.value.summary


def test_objects_are_freed_once(library):
    driver = Driver(str(library), dialect())
    model = driver.create("Model")
    driver.call("Model_finish", model.pointer)
    model.close()
    model.close()
    assert ctypes.CDLL(str(library)).toy_freed() == 1


@pytest.mark.parametrize(("number", "name"), RESULTS.items())
def test_results_are_reported(library, number, name):
    driver = Driver(str(library), dialect())
    with pytest.raises(BackendError) as caught:
        driver.call("Model_finish", ctypes.byref(ctypes.c_int(number)))
    assert caught.value.code == (FAULTS[name][0] if name in FAULTS else "driver-failed")
    assert f"ToyModel_finish gave {name}" in caught.value.summary


def test_a_result_that_no_header_has(library):
    driver = Driver(str(library), dialect())
    with pytest.raises(BackendError, match="unknown result -7") as caught:
        driver.call("Model_finish", ctypes.byref(ctypes.c_int(-7)))
    assert caught.value.code == "driver-failed"


def test_success_without_an_object(library):
    driver = Driver(str(library), dialect())
    model = driver.create("Model")
    with pytest.raises(BackendError, match="returned neither an object nor an error"):
        driver.create("Compilation", model.pointer)


def test_devices_of_a_driver_that_exaggerates(library):
    found = devices(Driver(str(library), dialect()))
    assert len(found) == MOST
    assert found[0].name == "a?[31m � b"
    assert (found[0].kind, found[0].version, found[0].feature_level) == ("unknown", "", 0)


def test_feature_levels():
    # ANEURALNETWORKS_FEATURE_LEVEL_1, _5, _6 and _8 (NeuralNetworksTypes.h)
    assert [feature_level(n) for n in (27, 31, 1000006, 1000008, 0, -1)] == [1, 5, 6, 8, 0, 0]


def test_a_vendor_is_no_stand_in(library):
    assert Driver(str(library), dialect()).stand_in == ""
