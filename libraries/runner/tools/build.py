"""Builds the runner: gets the pinned sources, configures CMake and compiles, for one machine or several.

    python libraries/runner/tools/build.py                          # this machine, with its own compiler: for tests
    python libraries/runner/tools/build.py --portable x86_64 aarch64    # for wheels: glibc 2.28, with zig's compiler

Needs CMake and Ninja (``pip install cmake ninja``), and for ``--portable`` zig (``pip install ziglang``).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PINS = HERE / "sources.txt"
PROGRAMS = HERE / "src" / "mlperf_mobile_runner" / "bin"
NAME = "mlperf-mobile-runner"
GLIBC = "2.28"
"""The oldest C library that portable programs run on; of Debian 10 and RHEL 8."""
_PIN = re.compile(r"([a-z-]+)==(\S+) --hash=sha256:([0-9a-f]{64})")


def main() -> int:
    """Build for every machine that is named."""
    parser = argparse.ArgumentParser(description="Builds mlperf-mobile-runner.")
    parser.add_argument("machines", nargs="*", default=[platform.machine()], help="as uname -m prints them")
    parser.add_argument("--portable", action="store_true", help=f"compile with zig for glibc {GLIBC}")
    parser.add_argument("--sources", type=Path, help="a folder with the archives of sources.txt; nothing is downloaded")
    parser.add_argument("--work", type=Path, default=HERE / "build", help="folder for sources and objects")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--if-possible", action="store_true", help="do nothing where there is no C++ compiler")
    args = parser.parse_args()
    if args.if_possible and not (shutil.which("c++") or shutil.which("g++")):
        print("there is no C++ compiler: the native runner is not built, and its tests are skipped")
        return 0
    work: Path = args.work.resolve()
    sources = unpacked(archives(args.sources, work / "archives"), work / "sources")
    for machine in args.machines:
        program = compiled(machine, sources, work, args.jobs, portable=args.portable)
        print(f"{program}: {program.stat().st_size} bytes")
    keep_licences(sources)
    return 0


def pins() -> dict[str, tuple[str, str]]:
    """Version and SHA-256 of each pinned archive, by the name of its project."""
    return {name: (version, digest) for name, version, digest in _PIN.findall(PINS.read_text(encoding="utf-8"))}


def archives(given: Path | None, folder: Path) -> dict[str, Path]:
    """The pinned archives, from a folder or downloaded through pip; their checksums are compared."""
    expected = {digest: name for name, (_, digest) in pins().items()}
    found = _by_digest(given or folder, expected)
    if len(found) < len(expected) and given is None:
        folder.mkdir(parents=True, exist_ok=True)
        sdists = "mlcommons-loadgen,pycryptodome"
        command = ["pip", "download", "--no-deps", "--no-binary", sdists, "--require-hashes", "-r", str(PINS)]
        subprocess.run([sys.executable, "-m", *command, "--dest", str(folder), "--quiet"], check=True)
        found = _by_digest(folder, expected)
    if missing := sorted(set(pins()) - set(found)):
        raise SystemExit(f"{given or folder} has no archive of {', '.join(missing)} with the pinned SHA-256")
    return found


def _by_digest(folder: Path, expected: dict[str, str]) -> dict[str, Path]:
    files = [path for path in folder.glob("*") if path.is_file()] if folder.is_dir() else []
    digests = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in files}
    return {name: digests[digest] for digest, name in expected.items() if digest in digests}


def unpacked(found: dict[str, Path], folder: Path) -> dict[str, Path]:
    """The unpacked archives' folders."""
    there = {}
    for name, path in found.items():
        place = folder / f"{name}-{pins()[name][1][:16]}"
        if not place.is_dir():
            part = place.with_name(f".{place.name}.{os.getpid()}")
            if path.suffix == ".whl":
                with zipfile.ZipFile(path) as wheel:
                    wheel.extractall(part)
            else:
                with tarfile.open(path) as archive:  # of a known digest; Python before 3.11.4 has no filter
                    archive.extraction_filter = getattr(tarfile, "data_filter", None)
                    archive.extractall(part)
            part.rename(place)
        inner = [each for each in place.iterdir() if each.is_dir()]
        there[name] = place if path.suffix == ".whl" else inner[0]
    return there


def compiled(machine: str, sources: dict[str, Path], work: Path, jobs: int, *, portable: bool) -> Path:
    """Compile for a machine; the stripped program's place."""
    cmake, ninja = tool("cmake"), tool("ninja")
    build = work / f"{machine}{'-portable' if portable else ''}"
    options = {
        "CMAKE_MAKE_PROGRAM": ninja,
        "LOADGEN_DIR": str(sources["mlcommons-loadgen"]),
        "JSON_INCLUDE_DIR": str(sources["nlohmann-json"] / "nlohmann_json" / "include"),
        "PYCRYPTODOME_DIR": str(sources["pycryptodome"]),
        "RUNNER_ABI": machine,
        "RUNNER_VERSION": tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["version"],
        "CMAKE_BUILD_TYPE": "Release",
    }
    if machine != platform.machine():
        options |= {"CMAKE_SYSTEM_NAME": "Linux", "CMAKE_SYSTEM_PROCESSOR": machine}
    if portable:
        options |= zig(machine, build)
    elif machine != platform.machine():
        options |= {"CMAKE_C_COMPILER": f"{machine}-linux-gnu-gcc", "CMAKE_CXX_COMPILER": f"{machine}-linux-gnu-g++"}
    defined = [f"-D{name}={value}" for name, value in options.items()]
    subprocess.run([cmake, "-S", str(HERE / "cpp"), "-B", str(build), "-G", "Ninja", *defined], check=True)
    subprocess.run([ninja, "-C", str(build), "-j", str(jobs)], check=True)
    target = PROGRAMS / machine / NAME
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{NAME}.{os.getpid()}")
    shutil.copy2(build / NAME, part)
    part.replace(target)
    return target


def zig(machine: str, build: Path) -> dict[str, str]:
    """CMake's options for zig's compilers, which CMake can only call through scripts."""
    build.mkdir(parents=True, exist_ok=True)
    made = {}
    for language, name in (("C", "cc"), ("CXX", "c++")):
        script = build / f"zig-{name}"
        target = f"-target {machine}-linux-gnu.{GLIBC}"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang {name} {target} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        made[f"CMAKE_{language}_COMPILER"] = str(script)
    return made


def tool(name: str) -> str:
    """A program of this environment, or of the system."""
    mine = Path(sysconfig.get_path("scripts")) / name
    found = str(mine) if mine.is_file() else shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is needed: pip install {name}")
    return found


def keep_licences(sources: dict[str, Path]) -> None:
    """Put the licences of what is compiled in beside the programs."""
    folder = PROGRAMS / "licences"
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "nlohmann-json": next((sources["nlohmann-json"]).glob("*.dist-info/licenses/LICENSE*")),
        "pycryptodome": sources["pycryptodome"] / "LICENSE.rst",
        "mlcommons-loadgen": HERE.parent.parent / "LICENSE",  # Apache-2.0, as its files say; the sdist has no copy
    }
    for name, path in texts.items():
        if path.is_file():
            shutil.copy2(path, folder / f"{name}.txt")


if __name__ == "__main__":
    raise SystemExit(main())
