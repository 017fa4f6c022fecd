"""Measures how long commands take to start, relative to a bare interpreter (``python -c pass``) in the same rounds.

The commands alternate, with compiled bytecode, and medians are compared. Wall time is only meaningful
on a quiet machine; CPU time includes all processes that a command starts. The bare start reads the environment's
``.pth`` files, as commands do; starts without them (``-I -S``) are shown as well. A target in seconds is for a machine
whose bare start takes 12 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

BARE_S = 0.012
PLUGINS = 300
PLUGIN = """
from mlperf_mobile.plugin import BackendInfo, Ref, hookimpl

@hookimpl
def mlperf_mobile_backends():
    yield BackendInfo(
        name="startup_{number}", summary="offered by a benchmark", vendor="nobody", backend=Ref("nowhere:Nothing"),
        model_formats=("tflite",), hook_api=(2, 0),
    )
"""
SLOW_S = 1.0
TROUBLE = {
    "slow": f"import time\ntime.sleep({SLOW_S})\n",
    "broken": "raise OSError('no driver')\n",
}
"""Plugins beside the others: one whose import takes long, and one that cannot be imported."""
MODEL = "image_classification"
TOY = ["run", MODEL, "--mode", "performance", "--set", "min_duration_s=0", "--set", "min_query_count=64", "--quiet"]


@dataclass
class Case:
    """A command, and the seconds of each round."""

    name: str
    command: list[str]
    target: float | None = None
    """The longest allowed time, in bare starts."""
    environment: Mapping[str, str] = field(default_factory=dict)
    results: Path | None = None
    """The folder of its results, whose warm-up and timed run are subtracted from the wall time."""
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        found = cases(folder)
        for number in range(args.rounds + 1):  # the first one compiles, and is not counted
            for case in found:
                once(case, folder, counted=number > 0)
    bare = found[0]
    print(f"{'':44}{'wall ms':>9}{'CPU ms':>9}{'wall/bare':>11}{'CPU/bare':>10}{'target':>8}")
    for case in found:
        wall, cpu = statistics.median(case.wall), statistics.median(case.cpu)
        ratios = wall / statistics.median(bare.wall), cpu / statistics.median(bare.cpu)
        target = f"{case.target:.1f}" if case.target else ""
        print(f"{case.name:44}{wall * 1e3:9.0f}{cpu * 1e3:9.0f}{ratios[0]:11.1f}{ratios[1]:10.1f}{target:>8}")


def cases(folder: Path) -> list[Case]:
    """All cases, the bare start first."""
    python, command = sys.executable, str(Path(sys.executable).with_name("mlperf-mobile"))
    results = folder / "results"
    return [
        Case("python -c pass", [python, "-c", "pass"]),
        Case("python -I -S -c pass", [python, "-I", "-S", "-c", "pass"]),
        Case("python -c 'import pluggy, argparse'", [python, "-c", "import pluggy, argparse"]),
        Case("list-backends", [command, "list-backends"], 4.0),
        Case(
            f"list-backends, {PLUGINS} plugins more", [command, "list-backends"], 0.4 / BARE_S,
            {"PYTHONPATH": str(plugins(folder / "plugins"))},
        ),
        Case(
            f"the same, one sleeping {SLOW_S:g} s, one broken", [command, "list-backends"], (0.4 + SLOW_S) / BARE_S,
            {"PYTHONPATH": os.pathsep.join([str(folder / "plugins"), str(troubled(folder / "troubled"))])},
        ),
        Case("run --dry-run", [command, "run", "--dry-run"], 0.25 / BARE_S),
        Case(f"run {MODEL} --dry-run", [command, "run", MODEL, "--dry-run"], 0.25 / BARE_S),
        Case("run, beyond warm-up and timed run", [command, *TOY, "--output", str(results)], 0.6 / BARE_S, {}, results),
    ]  # fmt: skip


def plugins(site: Path) -> Path:
    """A folder of distributions with one backend each."""
    for number in range(PLUGINS):
        distribution(site, str(number), PLUGIN.replace("{number}", str(number)))
    return site


def troubled(site: Path) -> Path:
    """A folder with the distributions of :data:`TROUBLE`, which offer a backend each if they can."""
    for name, trouble in TROUBLE.items():
        distribution(site, name, trouble + PLUGIN.replace("{number}", name))
    return site


def distribution(site: Path, name: str, code: str) -> None:
    """Install a distribution of one module into a folder."""
    info = site / f"startup_{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: startup-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[mlperf_mobile]\nstartup_{name} = startup_{name}\n")
    (site / f"startup_{name}.py").write_text(code)


def once(case: Case, folder: Path, *, counted: bool) -> None:
    """Run a command to its end, and record its times if ``counted``."""
    environment = {
        **os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONDONTWRITEBYTECODE": "", **case.environment
    }  # fmt: skip
    before = set(case.results.glob("*/result.json")) if case.results else set()
    with Path(os.devnull).open("r+b") as nowhere:
        streams = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), number) for number in (0, 1, 2)]
        started = time.perf_counter()
        pid = os.posix_spawn(case.command[0], case.command, environment, file_actions=streams)
        _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(case.command)} ended with {os.waitstatus_to_exitcode(status)}")
    if case.results:
        (found,) = set(case.results.glob("*/result.json")) - before
        result = json.loads(found.read_text())
        plan = json.loads(found.with_name("plan.json").read_text())
        wall -= result["performance"]["duration_s"] + plan["warmup_s"]
    if counted:
        case.wall.append(wall)
        case.cpu.append(used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    main()
