"""Runs that fail or are ended: each names what is wrong, and exits with the code of its kind."""

import os
import signal
import subprocess

import pytest


def failed(outcome):
    """The code of the failure, which agrees with the exit code and says what to do about it."""
    assert outcome.failure["exit_code"] == outcome.returncode, outcome.events
    assert not outcome.ended
    assert outcome.failure["summary"]
    assert "\n" not in outcome.failure["summary"]
    return outcome.failure["code"], outcome.returncode


def change(plan, path, value):
    *folders, name = path.split(".")
    for folder in folders:
        plan = plan[int(folder)] if isinstance(plan, list) else plan[folder]
    if value is ...:
        del plan[name]
    else:
        plan[name] = value


@pytest.mark.parametrize(
    ("path", "value", "names"),
    [
        ("engine", 3, "engine"),
        ("engine", ..., "engine"),
        ("sessions", 0, "sessions"),
        ("sessions", -1, "sessions"),
        ("batch", 1.5, "batch"),
        ("warmup_s", "long", "warmup_s"),
        ("surprise", 1, "surprise"),
        ("inputs", [], "inputs"),
        ("inputs.0.bytes", 15, "inputs.0.bytes"),
        ("inputs.0.dtype", "text", "inputs.0.dtype"),
        ("inputs.0.shape", [1, -16], "inputs.0.shape"),
        ("inputs.0.shape", [1 << 40, 1 << 40], "inputs.0.bytes"),
        ("performance.total", 0, "performance.total"),
        ("performance.count", 21, "performance.count"),
        ("performance.warmup", [], "performance.warmup"),
        ("performance.warmup", [20], "performance.warmup"),
        ("performance.samples.0.indices", [0], "performance.warmup"),
        ("performance.samples.0.indices", [99], "indices"),
        ("performance.more", True, "performance.more"),
        ("accuracy.chunks.0.first", 1, "accuracy.chunks.0.first"),
        ("accuracy.chunks.0.count", 19, "accuracy.chunks"),
        ("accuracy.total", 21, "accuracy.chunks"),
    ],
)
def test_wrong_field_is_named(case, path, value, names):
    made = case()
    change(made.plan, path, value)
    outcome = made.run()

    assert failed(outcome) == ("runner-plan", 2)
    assert names in outcome.failure["summary"]


@pytest.mark.parametrize(
    ("path", "value", "code", "exit_code"),
    [
        ("plan", 2, "runner-version", 2),
        ("plan", "1", "runner-version", 2),
        ("engine", "neuron", "runner-engine", 5),
        ("options", {"latency": 3}, "runner-option", 2),
        ("options", {"latency_ns": -3}, "runner-option", 2),
        ("performance.settings.min_query_cuont", 3, "runner-setting", 2),
        ("performance.settings.min_query_count", -3, "runner-setting", 2),
        ("performance.settings.min_query_count", 3.5, "runner-setting", 2),
        ("performance.settings.scenario", "Server", "runner-setting", 2),
        ("performance.settings.accuracy_log_probability", 0.1, "runner-setting", 2),
        ("performance.samples.0.file", "missing.bin", "runner-samples", 4),
        ("performance.logs", "samples.bin", "output-unwritable", 6),
        ("accuracy.outputs", "samples.bin/outputs", "output-unwritable", 6),
        ("options", {"fail_at": 0}, "backend-failed", 5),
        ("options", {"fail_at": 3}, "backend-failed", 5),
        ("options", {"fail_at": 50}, "backend-failed", 5),
        ("options", {"drift": True}, "outputs-changed", 5),
    ],
)
def test_failure_has_the_code_and_exit_code_of_its_kind(case, path, value, code, exit_code):
    made = case()
    change(made.plan, path, value)
    outcome = made.run()

    assert failed(outcome) == (code, exit_code)


def test_failure_in_one_of_several_sessions_ends_the_run(case):
    made = case(sessions=3, options={"fail_at": 60})
    made.plan["performance"]["settings"] |= {"scenario": "Offline", "min_query_count": 5000}

    assert failed(made.run()) == ("backend-failed", 5)


def test_plan_that_is_not_json(case):
    made = case()
    process = made.start()
    process.wait()
    (made.folder / "events.jsonl").unlink()
    (made.folder / "plan.json").write_text('{"plan": 1,')
    code = subprocess.run([*made.command, "--plan", made.folder / "plan.json", "--directory", made.folder], check=False)

    assert code.returncode == 2
    assert made.events()[-1]["code"] == "runner-plan"


def test_missing_plan_and_unknown_argument_are_reported(program, tmp_path):
    for arguments in (["--plan", tmp_path / "no.json", "--directory", tmp_path], ["--paln", "x"], [], ["--plan"]):
        found = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        assert found.returncode == 2


def test_samples_of_another_size(case):
    made = case()
    with (made.folder / "samples.bin").open("ab") as file:
        file.write(b"x")
    outcome = made.run()

    assert failed(outcome) == ("runner-samples", 4)
    assert "321 bytes, not 20 samples of 16" in outcome.failure["summary"]


def test_sample_that_loadgen_asks_for_and_no_file_has(case):
    made = case(accuracy=None)
    made.plan["performance"]["samples"][0]["indices"] = list(range(10))
    (made.folder / "samples.bin").write_bytes(bytes(160))
    outcome = made.run()

    assert failed(outcome) == ("runner-samples", 4)
    assert "LoadGen asks for sample" in outcome.failure["summary"]


def test_logs_of_another_run_are_not_overwritten(case):
    made = case()
    assert made.run().returncode == 0
    (made.folder / "events.jsonl").unlink()

    assert failed(made.run()) == ("output-unwritable", 6)


def test_library_that_is_missing_or_is_another(case, models):
    model = str(models / "add.tflite")
    for name, code in (("libnot-there.so", "runner-library"), ("", "runner-library"), ("libm.so.6", "runner-symbol")):
        for engine in ("litert", "mma"):
            assert failed(case(engine=engine, library=name, model=model).run())[0] == code


def test_model_that_the_runtime_refuses(case, litert, tmp_path):
    wrong = tmp_path / "wrong.tflite"
    wrong.write_bytes(b"not a model at all, but a text that is long enough")

    assert failed(case(engine="litert", library=litert, model=str(wrong)).run()) == ("model-refused", 3)
    assert failed(case(engine="litert", library=litert, model="no.tflite").run()) == ("model-missing", 3)


def test_tensors_that_differ_from_the_plan(case, litert, models, tensor):
    row, model = [tensor("float32", 1, 4)], str(models / "add.tflite")
    for fields in (
        {"inputs": [tensor("float32", 1, 4)], "outputs": [tensor("float32", 1, 5)]},
        {"inputs": row, "outputs": [tensor("int32", 1, 4)]},
        {"inputs": row * 2, "outputs": row},
        {"inputs": row, "outputs": row * 2},
        {"inputs": [tensor("float32", 1, 4, 1)], "outputs": row},
    ):
        assert failed(case(engine="litert", library=litert, model=model, **fields).run()) == ("model-tensors", 3)


def test_batch_that_the_model_does_not_support(case, litert, models, tensor):
    fields = {"inputs": [tensor("float32", 4)], "outputs": [tensor("float32", 4)], "batch": 3, "performance": None}

    outcome = case(engine="litert", library=litert, model=str(models / "add.tflite"), **fields).run()

    assert failed(outcome)[0] in {"batch-size", "model-tensors"}


def test_host_that_does_not_come(case):
    made = case(performance=None)
    made.plan["accuracy"] |= {"wait": True, "wait_s": 0.2, "chunks": [{"file": "later.bin", "first": 0, "count": 20}]}
    outcome = made.run()

    assert failed(outcome) == ("runner-host-silent", 4)
    assert "later" not in outcome.failure["hint"]


def test_outputs_that_the_host_does_not_fetch(case):
    made = case(performance=None)
    chunks = [{"file": f"{n}.bin", "first": 10 * n, "count": 10} for n in range(2)]
    for chunk in chunks:
        (made.folder / chunk["file"]).write_bytes(bytes(160))
    made.plan["accuracy"] |= {"wait_s": 0.2, "most_waiting": 1, "chunks": chunks}

    assert failed(made.run()) == ("runner-host-silent", 4)
    assert (made.folder / "outputs" / "0.bin").stat().st_size == 160


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, "cancel"])
def test_cancelled_run_keeps_its_latencies(case, how):
    made = case(options={"latency_ns": 100000})
    made.plan["performance"]["settings"]["min_duration_ms"] = 200_000
    made.plan["performance"]["expected_floor_ns"] = 1e6
    process = made.start(stdin=subprocess.PIPE)
    made.until(lambda event: event["event"] == "progress" and event["done"] > 0)
    if how == "cancel":
        process.stdin.write(b"cancel\n")
        process.stdin.flush()
    else:
        process.send_signal(how)
    outcome = made.outcome(process)
    process.stdin.close()

    assert outcome.returncode == 130
    assert not outcome.ended
    assert len(outcome.latencies()) > 0


def test_hangup_does_not_end_a_run(case):
    made = case()
    made.plan["performance"]["settings"]["min_duration_ms"] = 1500
    process = made.start()
    made.until(lambda event: event["event"] == "phase" and event["name"] == "performance")
    process.send_signal(signal.SIGHUP)

    assert made.outcome(process).ended


def test_full_disk_is_named(case):
    made = case(options={"latency_ns": 100})
    made.plan["performance"]["settings"]["min_query_count"] = 3000

    def limit():
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    if os.environ.get("PYTEST_XDIST_WORKER") is None or hasattr(os, "fork"):
        outcome = made.outcome(made.start(preexec_fn=limit))
        assert failed(outcome) in (("disk-full", 6), ("log-incomplete", 6))  # whichever file is full first
