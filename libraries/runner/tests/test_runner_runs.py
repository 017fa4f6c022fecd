"""Runs that succeed: what the runner measures, and what it answers."""

import hashlib
import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.results import interruptions


def digest(record):
    return hashlib.sha256(record).digest()


def test_version(program):
    found = json.loads(subprocess.run([program, "--version"], check=True, capture_output=True).stdout)

    assert found["plan"] == 1
    assert found["engines"] == ["dummy", "litert", "mma", "nnapi"]
    assert found["runner"] == "0.1.0"


def test_single_stream_saves_the_latencies_that_loadgen_measured(case):
    outcome = case().run()

    assert outcome.returncode == 0
    assert outcome.ended
    assert "Result is : " in outcome.summary()  # VALID or not depends on the load of the machine
    latencies = np.sort(outcome.latencies())
    logged = dict(line.split(":") for line in outcome.summary().splitlines() if "(ns)   " in line)
    logged = {name.strip(): int(value) for name, value in logged.items()}
    assert logged["Min latency (ns)"] == latencies[0]
    assert logged["Max latency (ns)"] == latencies[-1]
    assert logged["50.00 percentile latency (ns)"] == latencies[int(len(latencies) * 0.5)]
    assert logged["90.00 percentile latency (ns)"] == latencies[int(len(latencies) * 0.9)]
    assert outcome.part("runner_performance")["samples"] == len(latencies) >= 100
    assert outcome.part("repeated")["responses"] == 2


def test_the_time_of_progress_has_the_first_query(case):
    made = case(options={"latency_ns": 600_000_000})
    made.plan["performance"]["settings"]["min_query_count"] = 2
    made.plan["performance"]["warmup"] = [0]
    del made.plan["accuracy"]

    outcome = made.run()

    told = [each for each in outcome.events if each["event"] == "progress" and each["phase"] == "performance"]
    assert [each["done"] for each in told] == [1, 2]
    spent = np.cumsum(outcome.latencies()) / 1e9
    assert spent[0] > 0.3  # more than a tick of the watch
    assert all(each["elapsed_s"] >= least for each, least in zip(told, spent, strict=True))


@pytest.mark.parametrize("when", ["phase", "progress"])
def test_a_stop_is_a_gap_in_which_nothing_ran(case, when):
    """At the beginning of the timed run, and later."""
    made = case(options={"latency_ns": 1_000_000})
    made.plan["performance"]["settings"]["min_duration_ms"] = 1500
    del made.plan["accuracy"]
    process = made.start()
    made.until(lambda event: event["event"] == when and (event.get("phase") or event.get("name")) == "performance")
    process.send_signal(signal.SIGSTOP)
    time.sleep(4)
    process.send_signal(signal.SIGCONT)

    outcome = made.outcome(process)
    assert outcome.ended
    seen = outcome.part("interruptions")
    assert [idle for start, end, idle in seen["gaps"] if end - start > 3] == [1.0]
    assert interruptions.rule(interruptions.found(seen, None)).ok is False


def test_events_are_those_of_the_worker(case):
    from mlperf_mobile import events

    outcome = case().run()

    own = {"heartbeat", "chunk"}
    for event in outcome.events:
        if event["event"] not in own:
            events.decode(json.dumps(event).encode())
    phases = [event["name"] for event in outcome.events if event["event"] == "phase"]
    assert phases == ["load", "encode", "warm-up", "encode", "performance", "accuracy", "load"]


def test_loadgen_logs_the_digest_of_every_output(case, tensor, records):
    outcome = case(
        inputs=[tensor("int32", 3), tensor("uint8", 5)], outputs=[tensor("float32", 3), tensor("int64", 1)]
    ).run()

    found = records([tensor("float32", 3), tensor("int64", 1)], outcome.outputs())
    assert len(set(found)) == len(found) == 20
    assert outcome.accuracy_log() == {index: digest(record) for index, record in enumerate(found)}


@pytest.mark.parametrize(("sessions", "batch"), [(1, 1), (3, 1), (2, 3)])
def test_offline_answers_every_sample_on_all_sessions(case, sessions, batch):
    made = case(sessions=sessions, batch=batch)
    made.plan["performance"]["settings"] |= {"scenario": "Offline", "min_query_count": 500}
    outcome = made.run()

    assert outcome.ended, outcome.events
    assert "Result is : " in outcome.summary()
    assert len(outcome.latencies()) >= 500
    assert sum(share["samples"] for share in outcome.part("runner_performance")["shares"]) == len(outcome.latencies())
    assert len(outcome.part("runner_performance")["shares"]) == sessions
    assert len(outcome.accuracy_log()) == 20


def test_outputs_do_not_depend_on_sessions_and_batch(case):
    expected = case(performance=None).run().outputs()

    made = case(performance=None, sessions=2, batch=7)
    assert made.run().outputs() == expected


def test_quickstart_model_gives_the_bits_of_the_python_interpreter(case, litert, quickstart, tensor):
    from ai_edge_litert.interpreter import Interpreter

    for model in (quickstart / "fashion_mobilenet_int8.tflite", quickstart / "fashion_mobilenet_float32.tflite"):
        interpreter = Interpreter(str(model))
        interpreter.allocate_tensors()
        (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
        random = np.random.default_rng(3)
        samples = [(random.integers(0, 127, into["shape"]).astype(into["dtype"]),) for _ in range(12)]
        made = case(
            engine="litert", library=litert, model=str(model), samples=samples,
            inputs=[tensor(into["dtype"].__name__, *map(int, into["shape"]))],
            outputs=[tensor(out["dtype"].__name__, *map(int, out["shape"]))],
        )  # fmt: skip
        outcome = made.run()

        assert outcome.ended, outcome.events
        assert "Result is : " in outcome.summary()
        answers = []
        for (sample,) in samples:
            interpreter.set_tensor(into["index"], sample)
            interpreter.invoke()
            answers.append(interpreter.get_tensor(out["index"]).tobytes())
        assert outcome.outputs() == b"".join(answers)
        assert litert in outcome.part("runner_libraries")
        assert isinstance(outcome.part("runner_placement")["fully_accelerated"], bool)


def test_every_declared_function_of_litert_is_called(case, litert, models, tensor, tmp_path):
    """Some are called only for quantised models, for open shapes, and for options."""
    row = [tensor("float32", 5, 4)]
    made = case(
        engine="litert", library=litert, model=str(models / "open_row.tflite"), inputs=row, outputs=row,
        options={"threads": 2, "dispatch_library_dir": str(tmp_path), "accelerator": "cpu"},
    )  # fmt: skip
    described = subprocess.run(
        [*made.command, "--describe", "--plan", _written(made)], check=False, capture_output=True, cwd=tmp_path
    )
    found = json.loads(described.stdout)
    quantised = case(engine="litert", library=litert, model=str(models / "quantized.tflite"))
    del quantised.plan["inputs"], quantised.plan["outputs"]
    answer = subprocess.run(
        [*made.command, "--describe", "--plan", _written(quantised)], check=True, capture_output=True
    )

    assert described.returncode == 0, found
    assert found["inputs"][0]["shape"][0] == 5
    assert json.loads(answer.stdout)["inputs"][0]["quantisation"]["scale"] > 0


def _written(made):
    path = made.folder / "described.json"
    path.write_text(json.dumps(made.plan))
    return path


def test_a_batch_of_litert_gives_what_single_samples_give(case, litert, models, tensor):
    fields = {
        "engine": "litert", "library": litert, "model": str(models / "add.tflite"), "performance": None,
        "inputs": [tensor("float32", 1, 4)], "outputs": [tensor("float32", 1, 4)],
    }  # fmt: skip
    made = case(**fields)
    expected = np.concatenate([sample for (sample,) in made.samples]) * 2
    assert made.run().outputs() == expected.tobytes()
    made = case(**fields, batch=6)
    outcome = made.run()

    assert outcome.ended, outcome.events
    assert outcome.outputs() == expected.tobytes()


def test_chunks_are_taken_as_they_come_and_storage_stays_bounded(case, records):
    made = case(performance=None)
    made.plan["accuracy"] |= {
        "wait": True,
        "most_waiting": 2,
        "chunks": [{"file": f"in/{n}.bin", "first": 4 * n, "count": 4} for n in range(5)],
    }
    (made.folder / "in").mkdir()
    process = made.start()
    outputs, sent = b"", 0
    for number in range(5):
        data = b"".join(sample[0].tobytes() for sample in made.samples[4 * number : 4 * number + 4])
        (made.folder / "in" / f".{number}").write_bytes(data)
        (made.folder / "in" / f".{number}").rename(made.folder / "in" / f"{number}.bin")
        sent += 1
        if sent < 3:
            continue
        oldest = sent - 3
        made.until(lambda event, n=oldest: event["event"] == "chunk" and event["number"] == n)
        assert len(list((made.folder / "outputs").glob("[0-9]*.bin"))) <= 2
        outputs += (made.folder / "outputs" / f"{oldest}.bin").read_bytes()
        (made.folder / "outputs" / f"{oldest}.bin").unlink()
    outcome = made.outcome(process)
    outputs += outcome.outputs(3) + outcome.outputs(4)

    assert outcome.ended, outcome.events
    assert not list((made.folder / "in").glob("*.bin"))
    found = records(made.plan["outputs"], outputs)
    assert outcome.accuracy_log() == {index: digest(record) for index, record in enumerate(found)}
    assert outcome.part("runner_accuracy")["waited_s"] > 0


def test_threads_that_complete_samples_stay_until_the_end(case):
    """LoadGen frees the log of a thread that ends, and may read it again: under load, every hundredth run crashed."""
    made = case(performance=None, sessions=3, batch=2)
    chunks = [{"file": f"{n}.bin", "first": 10 * n, "count": 10} for n in range(2)]
    made.plan["accuracy"] |= {"wait": True, "most_waiting": 1, "chunks": chunks}
    for number in range(2):
        samples = made.samples[10 * number : 10 * number + 10]
        (made.folder / f"{number}.bin").write_bytes(b"".join(sample[0].tobytes() for sample in samples))
    process = made.start()
    tasks = Path("/proc", str(process.pid), "task")
    made.until(lambda event: event["event"] == "chunk" and event["number"] == 0)
    waiting = {task.name for task in tasks.iterdir()}  # for the outputs to be taken
    (made.folder / "outputs" / "0.bin").rename(made.folder / "taken.bin")

    assert len(waiting) == 1 + 3 + 2  # the main thread, the sessions', LoadGen's and the watch's
    assert made.outcome(process).ended


def test_path_of_the_program_names_the_machine(program):
    assert program.parent.name in {"x86_64", "aarch64"}
    assert program.stat().st_mode & 0o111
