"""The scripts on a device, on every shell that is installed: files, detached processes and their signals."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mlperf_mobile.contracts.transport import DeviceError, DeviceLost, Output
from mlperf_mobile_devices import shell
from mlperf_mobile_devices.testing import StandInTransport, applets

SHELLS = {"dash": ("dash",), "bash": ("bash",), "mksh": ("mksh",), "busybox": ("busybox", "sh")}
TOOLBOX = {"toybox": ("mksh", "toybox"), "busybox-tools": ("busybox", "busybox")}
"""A shell, and a program that has all the commands."""


@pytest.fixture(params=[*SHELLS, *TOOLBOX])
def device(request, tmp_path, needed):
    name = request.param
    programs = TOOLBOX.get(name, (SHELLS.get(name) or ("",))[:1])
    for program in programs:
        needed(program)
    found = StandInTransport(str(tmp_path))
    Path(found.root).mkdir()
    if name in TOOLBOX:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = shutil.which(programs[1])
        list_them = [program, *(["--list"] if "busybox" in program else [])]
        listed = subprocess.run(list_them, capture_output=True, text=True, check=True).stdout.split()
        found.path = applets(folder, program, sorted({*listed} - {"sh", "su", "sudo"}))
        (folder / "sh").symlink_to(shutil.which(programs[0]))
    else:
        found.shell = SHELLS[name]
    return found


def folder_of(device, name="run"):
    folder = Path(device.root, name)
    folder.mkdir()
    return folder


def until(condition):
    """The value of a condition when it holds."""
    end = time.monotonic() + 120
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return value


def contents(path):
    return path.read_text() if path.exists() else ""


def child_called(name, parent):
    for child in contents(Path(f"/proc/{parent}/task/{parent}/children")).split():
        with suppress(OSError):  # it ended
            if Path(f"/proc/{child}/comm").read_text() == f"{name}\n":
                return child
    return None


def test_a_process_outlives_the_command_that_started_it(device):
    folder = folder_of(device)
    (folder / "stdin").write_text("line\n")
    program = 'read -r x; echo "$x $VALUE $1 $PWD"; echo error >&2; exit 7'
    device.start(str(folder), ["sh", "-c", program, "sh", "a 'b' $c"], {"VALUE": "x = $y"})
    until((folder / "rc").exists)
    assert (folder / "rc").read_text() == "7\n"
    assert (folder / "worker.log").read_text() == f"line x = $y a 'b' $c {folder}\nerror\n"
    assert (folder / "boot_id").read_text() == Path("/proc/sys/kernel/random/boot_id").read_text()
    assert device.signal(str(folder), "0") is False


def test_a_process_is_started_once(device):
    folder = folder_of(device)
    for _ in range(2):
        device.start(str(folder), ["sh", "-c", "echo began; exec sleep 1000"], {})
    until(lambda: "began" in contents(folder / "worker.log"))
    assert device.signal(str(folder), "0") is True
    device.signal(str(folder), "KILL")
    until((folder / "rc").exists)
    assert (folder / "worker.log").read_text().count("began\n") == 1


@pytest.mark.parametrize(("name", "code"), [("TERM", "143"), ("KILL", "137"), ("USR1", "138")])
def test_a_signal_reaches_the_whole_session_and_the_exit_code_is_kept(device, name, code):
    folder = folder_of(device)
    device.start(str(folder), ["sh", "-c", "sleep 1000 & echo $! >child; wait"], {})
    child = int(until(lambda: contents(folder / "child")))
    assert device.signal(str(folder), name) is True
    until((folder / "rc").exists)
    assert (folder / "rc").read_text() == f"{code}\n"
    until(lambda: not alive(child))
    assert device.signal(str(folder), name) is False


def test_what_a_program_leaves_running_is_ended(device):
    folder = folder_of(device)
    device.start(str(folder), ["sh", "-c", "sleep 1000 & echo $! >child"], {})
    until((folder / "rc").exists)
    assert (folder / "rc").read_text() == "0\n"
    until(lambda: not alive(int((folder / "child").read_text())))


def test_a_killed_wrapper_leaves_a_session_that_can_be_ended(device):
    folder = folder_of(device)
    device.start(str(folder), ["sleep", "1000"], {})
    leader = int((folder / "pid").read_text())
    child = int(until(lambda: child_called("sleep", leader)))  # not one that the wrapper runs before
    os.kill(leader, signal.SIGKILL)
    until(lambda: not alive(leader))
    assert device.signal(str(folder), "KILL") is True
    until(lambda: not alive(child))
    assert device.signal(str(folder), "0") is False


@pytest.mark.parametrize(("file", "text"), [("boot_id", "another-boot\n"), ("born", "1\n")])
def test_a_process_of_another_boot_or_another_age_is_left_alone(device, file, text):
    folder = folder_of(device)
    device.start(str(folder), ["sleep", "1000"], {})
    true = (folder / file).read_text()
    (folder / file).write_text(text)
    assert device.signal(str(folder), "KILL") is False
    (folder / file).write_text(true)
    assert device.signal(str(folder), "KILL") is True
    until((folder / "rc").exists)


def test_a_pipe_as_input_waits_for_a_writer(device):
    folder = folder_of(device)
    os.mkfifo(folder / "stdin")
    device.start(str(folder), ["sh", "-c", 'read -r x; echo "$x"'], {})
    assert device.signal(str(folder), "0") is True
    device.answer("write", 'echo "$1" 1<>"$2"', "hello", str(folder / "stdin"))
    until((folder / "rc").exists)
    assert (folder / "worker.log").read_text() == "hello\n"


def test_a_program_that_is_missing_has_an_exit_code(device):
    folder = folder_of(device)
    device.start(str(folder), ["/no/such/program"], {})
    until((folder / "rc").exists)
    assert (folder / "rc").read_text() == "127\n"


def test_a_folder_that_is_missing_is_an_error(device):
    with pytest.raises(DeviceError) as caught:
        device.start(f"{device.root}/none", ["true"], {})
    assert caught.value.code == "device-command"


DATA = bytes(range(256)) * 40
STRANGE = "a 'b' \"c\" $d `e` \\f ü -g"


@pytest.mark.parametrize("name", ["plain", STRANGE])
def test_files_go_there_and_back_unchanged(device, tmp_path, monkeypatch, name):
    monkeypatch.setattr(shell, "CHUNK", 3000)
    source, back, told = tmp_path / "source", tmp_path / "back", []
    source.write_bytes(DATA)
    target = f"{device.root}/{name}"
    device.push(source, target, told.append)
    assert Path(target).read_bytes() == DATA
    assert told == [3000, 6000, 9000, len(DATA)]
    device.pull(target, back)
    assert back.read_bytes() == DATA
    assert device.read(target, 10, 7) == DATA[10:17]
    assert device.read(target, len(DATA)) == b""
    assert device.read(f"{target}.none", 0) == b""
    assert {path.name for path in tmp_path.iterdir()} <= {"source", "back", "mlperf-mobile", "bin"}
    device.remove(target)
    device.remove(target)
    assert not Path(target).exists()


def test_an_empty_file(device, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"")
    device.push(source, f"{device.root}/empty")
    assert Path(device.root, "empty").read_bytes() == b""
    device.pull(f"{device.root}/empty", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b""


@pytest.fixture
def plain(tmp_path):
    found = StandInTransport(str(tmp_path))
    Path(found.root).mkdir()
    return found


def test_a_copy_that_was_cut_off_goes_on_where_it_ended(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(shell, "CHUNK", 3000)
    source = tmp_path / "source"
    source.write_bytes(DATA)
    left = [3]

    def drop(argv):
        left[0] -= 1
        if left[0] < 0:
            raise DeviceLost("the cable was pulled")

    plain.faults.append(drop)
    with pytest.raises(DeviceLost):
        plain.push(source, f"{plain.root}/file")
    assert not Path(plain.root, "file").exists()
    sent = plain.sent
    assert sent == 6000
    plain.faults.clear()
    plain.push(source, f"{plain.root}/file")
    assert plain.sent == len(DATA)
    assert Path(plain.root, "file").read_bytes() == DATA


def test_a_changed_file_does_not_continue_an_earlier_copy(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(shell, "CHUNK", 3000)
    source = tmp_path / "source"
    source.write_bytes(DATA)
    plain.faults.append(lambda argv: (_ for _ in ()).throw(DeviceLost("gone")) if plain.sent >= 3000 else None)
    with pytest.raises(DeviceLost):
        plain.push(source, f"{plain.root}/file")
    plain.faults.clear()
    source.write_bytes(b"x" * 5000)
    plain.push(source, f"{plain.root}/file")
    assert Path(plain.root, "file").read_bytes() == b"x" * 5000


def test_a_full_device(plain, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(DATA)
    full = Output(1, b"", b"sh: write error: No space left on device\n")
    plain.faults.append(lambda argv: full if "cat >>" in argv[2] else None)
    with pytest.raises(DeviceError) as caught:
        plain.push(source, f"{plain.root}/file")
    assert caught.value.code == "device-storage"


@pytest.mark.parametrize("path", ["/", "/etc", "{root}", "{root}/../other", "{root}/a/../../b", "a", "{root}x/y"])
def test_nothing_outside_of_the_root_is_removed(plain, path):
    with pytest.raises(ValueError, match="not below"):
        plain.remove(path.format(root=plain.root))


def test_what_a_device_prints_is_one_printable_line(plain):
    plain.faults.append(lambda argv: Output(1, b"", b"\x1b[2Jevil\n" * 1000))
    with pytest.raises(DeviceError) as caught:
        plain.read("/x", 0)
    assert caught.value.line().isprintable()
    assert len(caught.value.line()) < 500


def test_a_device_cannot_send_more_than_was_requested(plain):
    plain.faults.append(lambda argv: Output(0, b"x" * 100, b""))
    assert plain.read("/x", 0, 10) == b"x" * 10


@pytest.mark.parametrize("name", ["A B", "", "A;rm", "1A", "PATH=x"])
def test_a_variable_has_a_name(plain, name):
    with pytest.raises(ValueError, match="name of a variable"):
        plain.start(plain.root, ["true"], {name: "x"})


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
