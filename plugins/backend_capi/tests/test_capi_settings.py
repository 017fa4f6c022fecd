"""The order of pairs is that of ``CppToCSettings``, and the texts are written after the app's settings files."""

from __future__ import annotations

import pytest

from mlperf_mobile.errors import BackendError, UsageError
from mlperf_mobile_backend_capi.accelerators import kinds
from mlperf_mobile_backend_capi.settings import Choice, configure, merge, read

TEXT = """
common_setting { id: "num_threads" name: "Threads" value { value: "4" name: "four" }
                 acceptable_value { value: "1" name: "one" } acceptable_value { value: "4" name: "four" } }
common_setting { id: "mode" name: "Mode" value { value: "fast" name: "Fast" } }
benchmark_setting {
  benchmark_id: "detection"
  framework: "SNPE"
  single_stream_expected_latency_ns: 500000
  custom_setting { id: "scenario" value: "SingleStream" }
  delegate_choice: {
    priority: 1 delegate_name: "SNPE_DSP" accelerator_name: "snpe_dsp" accelerator_desc: "DSP"
    model_file: { model_path: "https://example.org/a.dlc" model_checksum: "0" }
    model_file: { model_path: "https://example.org/b.dlc" model_checksum: "0" }
    batch_size: 010
    custom_setting { id: "perf_profile" value: "burst" }
    custom_setting { id: "mode" value: "slow" }
  }
  delegate_choice: { delegate_name: "GPU" accelerator_name: "gpu" accelerator_desc: "GPU" }
  delegate_choice: { delegate_name: "GPU2" accelerator_name: "gpu_fp16" accelerator_desc: "GPU" priority: 7 }
  delegate_choice: { delegate_name: "ALL" accelerator_name: "cpu&gpu&ane" accelerator_desc: "All" priority: -1 }
  delegate_choice: { delegate_name: "ODD" accelerator_name: "abacus" accelerator_desc: "beads" }
  delegate_selected: "SNPE_DSP"
}
benchmark_setting { benchmark_id: "plain" framework: "X" }
"""


def expect(kind: type[Exception], code: str, match: str):
    return pytest.raises(kind, match=match, check=lambda error: error.code == code)


def test_the_configuration() -> None:
    choice = configure(read(TEXT, "libx.so"), accelerator="npu", batch=3, benchmark="detection", own={"more": "1"})
    assert choice == Choice(
        delegate="SNPE_DSP",
        accelerator="snpe_dsp",
        description="DSP",
        batch=3,
        pairs=(
            ("perf_profile", "burst"),
            ("mode", "slow"),
            ("num_threads", "4"),
            ("mode", "fast"),
            ("scenario", "SingleStream"),
            ("more", "1"),
        ),
        framework="SNPE",
        settings_batch=8,
    )


def test_without_a_benchmark() -> None:
    choice = configure(read(TEXT, "libx.so"), accelerator="gpu", batch=1)
    assert choice == Choice("", "gpu", "gpu", 1, (("num_threads", "4"), ("mode", "fast")))


def test_the_model_files_are_reported() -> None:
    delegate = read(TEXT, "libx.so").benchmark("detection").delegates[0]
    assert delegate.models == ("https://example.org/a.dlc", "https://example.org/b.dlc")


@pytest.mark.parametrize(
    ("accelerator", "name", "expected"),
    [
        ("npu", None, "SNPE_DSP"),
        ("gpu", None, "GPU2"),
        ("cpu", None, "ALL"),
        ("gpu", "GPU", "GPU"),
        ("npu", "ALL", "ALL"),
        ("cpu", "ODD", "ODD"),
    ],
)
def test_the_delegate(accelerator: str, name: str | None, expected: str) -> None:
    """The selected one, then by priority, as the app sorts them; a name that is given must suit, if it can be told."""
    settings = read(TEXT, "libx.so")
    assert (
        configure(settings, accelerator=accelerator, batch=1, benchmark="detection", delegate=name).delegate == expected
    )


def test_an_accelerators_name_of_ones_own() -> None:
    settings = read(TEXT, "libx.so")
    choice = configure(settings, accelerator="npu", batch=1, benchmark="detection", accelerator_name="psnpe_dsp")
    assert (choice.delegate, choice.accelerator, choice.description) == ("SNPE_DSP", "psnpe_dsp", "DSP")
    assert configure(read("", ""), accelerator="npu", batch=1, accelerator_name="vpu").accelerator == "vpu"


def test_what_is_not_there() -> None:
    settings = read(TEXT, "libx.so")
    with expect(BackendError, "capi-benchmark", "no benchmark 'detektion'") as error:
        configure(settings, accelerator="npu", batch=1, benchmark="detektion")
    assert "did you mean detection" in error.value.hint
    with expect(BackendError, "capi-delegate", "benchmark detection has no delegate 'GPU3'") as error:
        configure(settings, accelerator="gpu", batch=1, benchmark="detection", delegate="GPU3")
    assert "GPU2" in error.value.hint
    with expect(BackendError, "no-accelerator", "delegate GPU of detection runs on gpu, not on npu"):
        configure(settings, accelerator="npu", batch=1, benchmark="detection", delegate="GPU")
    with expect(BackendError, "no-accelerator", "benchmark plain has no delegate for npu"):
        configure(settings, accelerator="npu", batch=1, benchmark="plain")


def test_own_settings_take_the_place_of_all_of_their_name() -> None:
    """Some libraries take the first pair of a name, and some the last."""
    pairs = (("a", "1"), ("b", "2"), ("a", "3"))
    assert merge(pairs, {"a": "9", "c": "5"}) == (("a", "9"), ("b", "2"), ("a", "9"), ("c", "5"))
    assert merge(pairs, {}) == pairs


def test_the_interface_carries_256() -> None:
    many = {str(i): "x" for i in range(256)}
    assert len(merge([], many)) == 256
    with expect(UsageError, "capi-settings", "there are 257 settings, but the interface allows 256"):
        merge([("first", "x")], many)


def test_no_nul_reaches_c() -> None:
    with expect(UsageError, "capi-settings", "NUL"):
        merge([("a", "x\0y")], {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("comon_setting { }", "line 1: field comon_setting is unknown; did you mean common_setting"),
        ('benchmark_setting {\n framework: "x" }', "benchmark_id is missing"),
        ('benchmark_setting { benchmark_id: "x" }', "framework is missing"),
        ("benchmark_setting: 5", "benchmark_setting is a message"),
        ("benchmark_setting { benchmark_id: 5 }", "benchmark_id is a string"),
        ('common_setting { id: "a" name: "b" }', "value is missing"),
        *[
            (f'benchmark_setting {{ benchmark_id: "x" framework: "y" delegate_choice {{ {rest} }} }}', says)
            for rest, says in [
                ('delegate_name: "d"', "accelerator_name is missing"),
                ('delegate_name: "d" accelerator_name: "a" accelerator_desc: "b" batch_size: "2"', "is a whole number"),
                ('delegate_name: "d" accelerator_name: "a" accelerator_desc: "b" batch_size: x', "not 'x'"),
                ('delegate_name: "d" accelerator_name: "a" accelerator_desc: "b" batch_size: 08', "not '08'"),
                ('delegate_name: "d" accelerator_name: "a" accelerator_desc: "b" batch_size: 1_0', "not '1_0'"),
                (
                    'delegate_name: "d" accelerator_name: "a" accelerator_desc: "b" batch_size: 2147483648',
                    "out of range",
                ),
            ]
        ],
    ],
)
def test_settings_that_cannot_be_read(text: str, says: str) -> None:
    with expect(BackendError, "capi-settings", f"the settings of libx.so cannot be read: .*{says}"):
        read(text, "libx.so")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("snpe_dsp", ("npu",)),
        ("psnpe_gpu_fp16", ("gpu",)),
        ("samsung_npu", ("npu",)),
        ("neuron-no-ahwb", ("npu",)),
        ("cpu&gpu&ane", ("npu", "gpu", "cpu")),
        ("CPU and Neural Engine", ("npu", "cpu")),
        ("Google EdgeTPU", ("npu",)),
        ("Metal", ("gpu",)),
        ("All compute units", ()),
        ("outputs", ()),
        ("", ()),
    ],
)
def test_accelerators_by_the_vendors_names(text: str, expected: tuple[str, ...]) -> None:
    assert kinds(text) == expected
