"""Stand-ins for the SDK's programs snpe-net-run and snpe-dlc-graph-prepare; each is this file under that name.

They take the same arguments, on the models of ``snpe_stand_in.c``. ``SNPE_STAND_IN_TOOL`` makes them fail: ``exit``,
``crash``, ``hang``, ``mute``, or, in what they write, ``short``, ``long``, ``missing``, ``link``.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from array import array
from pathlib import Path

FAULT = os.environ.get("SNPE_STAND_IN_TOOL", "")


def options() -> dict[str, str]:
    found = {}
    for argument in sys.argv[1:]:
        name, _, value = argument.partition("=")
        if not name.startswith("--"):
            sys.exit(f"stand-in: {argument} is no option")
        found[name[2:]] = value
    return found


def break_down() -> None:
    if FAULT == "exit":
        print("stand-in: first line\nERROR: the network cannot be built")
        sys.exit(7)
    if FAULT == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if FAULT == "hang":
        child = subprocess.Popen(["sleep", "600"])
        Path("child").write_text(str(child.pid))
        time.sleep(600)


def net_run(given: dict[str, str]) -> None:
    with zipfile.ZipFile(given["container"]) as archive:
        lines = archive.read("model")[8:].decode().splitlines()
    outputs = [line.split()[1] for line in lines if line.startswith("output")]
    inputs = [line.split()[1] for line in lines if line.startswith("input")]
    fed = dict(item.split(":=") for item in Path(given["input_list"]).read_text().split())
    if sorted(fed) != sorted(inputs):
        sys.exit(f"stand-in: the model takes {inputs}, not {sorted(fed)}")
    for index, name in enumerate(outputs):
        values = array("f", Path(fed[inputs[index % len(inputs)]]).read_bytes())
        data = array("f", [2 * value for value in values]).tobytes()
        data = {"short": data[:-1], "long": data + b"\0"}.get(FAULT, data)
        path = Path(given["output_dir"], "Result_0", f"{name}.raw")
        path.parent.mkdir(parents=True)
        if FAULT == "link":
            path.symlink_to("/etc/hostname")
        elif FAULT != "missing":
            path.write_bytes(data)
    Path("arguments").write_text("\n".join(sys.argv[1:]))


def prepare(given: dict[str, str]) -> None:
    if FAULT == "missing":
        return
    shutil.copy(given["input_dlc"], given["output_dlc"])
    with zipfile.ZipFile(given["output_dlc"], "a") as archive:
        archive.writestr("stand-in.cache", "\n".join(sys.argv[1:]))
    if FAULT == "short":
        os.truncate(given["output_dlc"], 60)


if __name__ == "__main__":
    asked = options()
    if "version" in asked:
        print("no number" if FAULT == "mute" else "SNPE v2.45.0.stand-in")
    else:
        break_down()
        {"snpe-net-run": net_run, "snpe-dlc-graph-prepare": prepare}[Path(sys.argv[0]).name](asked)
