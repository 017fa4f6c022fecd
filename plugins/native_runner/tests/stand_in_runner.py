"""A stand-in for the native runner: the same command, plan and events, with LiteRT's Python interpreter.

It shows that the driver handles plans, files, events and errors correctly; it says nothing about the runner's speed.
With ``STAND_IN_FAULT`` in its environment it misbehaves. With ``STAND_IN_PAUSE_S``, it pauses after each query of a
timed run, for tests of what happens meanwhile.
"""

from __future__ import annotations

import array
import hashlib
import json
import os
import sys
import time
from pathlib import Path

from mlperf_mobile.loadgen import trace

VERSION = {
    "runner": "0.0-stand-in", "plan": int(os.environ.get("STAND_IN_PLAN", "1")), "abi": os.uname().machine,
    "os": "linux", "engines": ["litert"], "loadgen": "stand-in",
}  # fmt: skip
FAULT = os.environ.get("STAND_IN_FAULT", "")
PAUSE_S = float(os.environ.get("STAND_IN_PAUSE_S", "0"))


class Refused(Exception):
    def __init__(self, code, summary, exit_code):
        super().__init__(code, summary, exit_code)


def send(event, **fields):
    with open("events.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps({"event": event, "time": time.time(), **fields}) + "\n")


def measured(part, **value):
    send("measured", part=part, value=value)


class Engine:
    def __init__(self, plan):
        import numpy as np
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_path=plan["model"], num_threads=plan["options"].get("threads") or 1)
        self.interpreter.allocate_tensors()
        self.inputs = self.interpreter.get_input_details()
        self.outputs = self.interpreter.get_output_details()
        for kind, details in (("inputs", self.inputs), ("outputs", self.outputs)):
            here = [(np.dtype(each["dtype"]).name, [*map(int, each["shape"])]) for each in details]
            if here != [(each["dtype"], each["shape"]) for each in plan[kind]]:
                raise Refused("model-tensors", f"the {kind} are {here}", 3)
        self.np = np

    def run(self, record):
        start = 0
        for detail in self.inputs:
            shape, dtype = detail["shape"], self.np.dtype(detail["dtype"])
            size = int(self.np.prod(shape)) * dtype.itemsize
            data = self.np.frombuffer(record[start : start + size], dtype).reshape(shape)
            self.interpreter.set_tensor(detail["index"], data)
            start += size
        self.interpreter.invoke()
        return b"".join(self.interpreter.get_tensor(detail["index"]).tobytes() for detail in self.outputs)


def test_settings(lg, values, mode):
    settings = lg.TestSettings()
    settings.mode = getattr(lg.TestMode, mode)
    for name, value in values.items():
        setattr(settings, name, getattr(lg.TestScenario, value) if name == "scenario" else value)
    return settings


def start(lg, settings, total, count, load, issue, logs):
    Path(logs).mkdir(parents=True)
    output = lg.LogOutputSettings()
    output.outdir = logs
    log = lg.LogSettings()
    log.log_output, log.enable_trace = output, settings.mode == lg.TestMode.PerformanceOnly
    sut, qsl = lg.ConstructFastSUT(issue, lambda: None), lg.ConstructQSL(total, count, load, lambda indices: None)
    lg.StartTestWithLogSettings(sut, qsl, settings, log, "")
    lg.DestroyQSL(qsl)
    lg.DestroyFastSUT(sut)


def performance(lg, engine, plan):
    part, size = plan["performance"], sum(each["bytes"] for each in plan["inputs"])
    records = {}
    for each in part["samples"]:
        data = Path(each["file"]).read_bytes()
        for place, index in enumerate(each["indices"]):
            records[index] = data[place * size : (place + 1) * size]
    send("phase", name="warm-up")
    best, end = 2**62, time.monotonic() + plan["warmup_s"]
    for n in range(10**9):
        began = time.perf_counter_ns()
        engine.run(records[part["warmup"][0]])
        best = min(best, time.perf_counter_ns() - began)
        if n >= 3 and time.monotonic() > end:
            break
    expected = min(best, part["expected_latency_ns"] or best)
    measured("runner_warmup", best_ns=best, calls=n, expected_latency_ns=expected)
    settings = test_settings(lg, part["settings"], "PerformanceOnly")
    settings.single_stream_expected_latency_ns = max(1, round(max(expected, part["expected_floor_ns"])))
    settings.offline_expected_qps = plan["sessions"] * plan["batch"] * 1e9 / expected
    answered, first_last = 0, [None, None]
    single = part["settings"]["scenario"] == "SingleStream"
    send("phase", name="performance")

    def load(indices):
        if any(index not in records for index in indices):
            os._exit(86)

    def issue(ids, indices):
        nonlocal answered
        for response, index in zip(ids, indices, strict=True):
            first_last[1] = index, engine.run(records[index])
            time.sleep(PAUSE_S)
            first_last[0] = first_last[0] or first_last[1]
            lg.QuerySamplesComplete([lg.QuerySampleResponse(response, 0, 0)])
            answered += 1
        if FAULT == "die" and answered > 20:
            Path("latencies.bin").write_bytes(array.array("q", [1000] * answered).tobytes())
            os.kill(os.getpid(), 9)

    start(lg, settings, part["total"], part["count"], load, issue, part["logs"])
    latencies = trace.read(Path(part["logs"]) / trace.FILE)
    os.truncate(Path(part["logs"]) / trace.FILE, 0)
    Path("latencies.bin").write_bytes(latencies.tobytes())
    for index, outputs in first_last:
        if engine.run(records[index]) != outputs:
            raise Refused("outputs-changed", f"sample {index}", 5)
    busy = sum(latencies) / 1e9 if single else max(latencies) / 1e9
    measured(
        "runner_performance", samples=len(latencies), latencies=len(latencies), expected_latency_ns=expected,
        shares=[{"samples": len(latencies), "busy_s": busy}], latency_source="load generator", load_samples_s=0.0,
    )  # fmt: skip
    seen = {"from": 0.0, "until": 1.0, "gaps": [], "suspends": [], "jumps": [], "waiting": 0.0, "gaps_prove": True}
    measured("interruptions", **seen)
    measured("repeated", responses=2, variation=0)


def accuracy(lg, engine, plan):
    import ctypes

    part, size = plan["accuracy"], sum(each["bytes"] for each in plan["inputs"])
    folder = Path(part["outputs"])
    folder.mkdir(parents=True)
    send("phase", name="accuracy")
    began, kept = time.monotonic(), []

    def until(condition):
        end = time.monotonic() + (part["wait_s"] or 3600)
        while not condition():
            if time.monotonic() > end:
                send("failed", code="runner-host-silent", summary="the host sends nothing", exit_code=4)
                os._exit(4)
            time.sleep(0.01)

    def issue(ids, indices):
        by_index = dict(zip(indices, ids, strict=True))
        for number, chunk in enumerate(part["chunks"]):
            path = Path(chunk["file"])
            if part["wait"]:
                until(path.exists)
            if part["most_waiting"]:
                until(lambda: len([*folder.glob("[0-9]*")]) < part["most_waiting"])
            data, outputs = path.read_bytes(), []
            for place in range(chunk["count"]):
                outputs.append(engine.run(data[place * size : (place + 1) * size]))
                digest = hashlib.sha256(outputs[-1]).digest()
                if FAULT == "digest" and chunk["first"] + place == 3:
                    digest = bytes(32)
                buffer = ctypes.create_string_buffer(digest, 32)
                kept.append(buffer)
                response = lg.QuerySampleResponse(by_index[chunk["first"] + place], ctypes.addressof(buffer), 32)
                lg.QuerySamplesComplete([response])
            if part["wait"]:
                path.unlink()
            (folder / f".{number}.bin").write_bytes(b"".join(outputs)[: 5 if FAULT == "short" else None])
            (folder / f".{number}.bin").rename(folder / f"{number}.bin")
            send("chunk", number=number, first=chunk["first"], count=chunk["count"], bytes=0)
            done = chunk["first"] + chunk["count"]
            elapsed = time.monotonic() - began
            fraction = done / part["total"]
            send("progress", phase="accuracy", done=done, total=part["total"], fraction=fraction, elapsed_s=elapsed)

    settings = test_settings(lg, part["settings"] | {"scenario": "Offline"}, "AccuracyOnly")
    start(lg, settings, part["total"], part["total"], lambda indices: None, issue, part["logs"])
    measured(
        "runner_accuracy", samples=part["total"], duration_s=time.monotonic() - began, sessions=1, waited_s=0.0
    )  # fmt: skip


def main():
    if "--version" in sys.argv:
        print(json.dumps(VERSION))
        return 0
    plan = json.loads(Path(sys.argv[sys.argv.index("--plan") + 1]).read_text())
    Path("given-plan.json").write_text(json.dumps(plan))
    try:
        import mlperf_loadgen as lg

        send("phase", name="load")
        if FAULT == "refuse":
            raise Refused("model-refused", "the runtime refuses the model", 3)
        began = time.monotonic()
        engine = Engine(plan)
        measured(
            "runner", version="0.0-stand-in", engine="litert", runtime="stand-in", versions={}, loadgen="stand-in",
            sessions=plan["sessions"], batch=plan["batch"], load_s=time.monotonic() - began, timed_region="inference",
        )  # fmt: skip
        if plan["performance"]:
            performance(lg, engine, plan)
        if plan["accuracy"]:
            accuracy(lg, engine, plan)
    except Refused as error:
        code, summary, exit_code = error.args
        send("failed", code=code, summary=summary, exit_code=exit_code)
        return exit_code
    if FAULT != "no-end":
        send("ended")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
