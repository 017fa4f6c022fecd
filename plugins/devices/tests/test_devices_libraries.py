"""Libraries that a process on a device has loaded, from ``/proc/PID/maps`` as proc(5) describes it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.printing import clean
from mlperf_mobile_devices import libraries

MAPS = """6f0000000000-6f0000001000 r--p 00000000 fd:05 1234 /data/local/tmp/mlperf-mobile/lib/libQnnHtp.so
6f0000001000-6f0000002000 r-xp 00001000 fd:05 1234                       /data/local/tmp/mlperf-mobile/lib/libQnnHtp.so
7a0000000000-7a0000001000 r-xp 00000000 fd:05 99 /vendor/lib64/libcdsprpc.so (deleted)
7b0000000000-7b0000001000 r-xp 00000000 07:30 5 /apex/com.android.runtime/lib64/bionic/libc.so
7c0000000000-7c0000001000 rw-p 00000000 00:00 0 [anon:libc_malloc]
7d0000000000-7d0000001000 r-xp 00000000 fd:05 7 /data/local/tmp/mlperf-mobile/runner
7e0000000000-7e0000001000 r-xp 00000000 fd:05 8 /usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30
7f0000000000-7f0000001000 r-xp 00000000 fd:05 9 /data/with blank/libx.so
"""


class TestLibraries:
    def test_what_was_loaded(self):
        found = libraries.parse(MAPS)
        assert found == (
            "/apex/com.android.runtime/lib64/bionic/libc.so", "/data/local/tmp/mlperf-mobile/lib/libQnnHtp.so",
            "/data/with blank/libx.so", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30",
            "/vendor/lib64/libcdsprpc.so (deleted)",
        )  # fmt: skip
        assert libraries.folders(found)["libcdsprpc.so"] == "/vendor/lib64"

    def test_this_machine_agrees(self):
        """The C library of this process is among those that it has loaded."""
        with open("/proc/self/maps") as file:
            assert any("libc" in path for path in libraries.parse(file.read()))

    def test_the_list_is_bounded(self):
        many = "".join(f"{n:x}-{n + 1:x} r-xp 0 0:0 1 /lib/lib{n}.so\n" for n in range(5000))
        assert len(libraries.parse(many)) == libraries.MOST_LIBRARIES

    def test_environment(self):
        assert libraries.environment([]) == {}
        found = libraries.environment(["/d/lib", "/d/more"], ["/d/dsp"])
        assert found["LD_LIBRARY_PATH"] == "/d/lib:/d/more"
        assert found["ADSP_LIBRARY_PATH"].startswith("/d/dsp;/vendor/dsp/cdsp;")

    @given(st.text() | st.from_regex(r"([0-9a-f]{1,4}-[0-9a-f]{1,4} r-xp 0 0:0 1 +/.*\.so\n?){1,4}", fullmatch=True))
    def test_nothing_that_is_printed_controls_a_terminal(self, maps):
        assert all(path == clean(path) for path in libraries.parse(maps))
