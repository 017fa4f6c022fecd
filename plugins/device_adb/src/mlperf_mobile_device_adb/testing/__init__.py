"""A stand-in for the adbd of an Android phone, to test without a phone what talks to one.

It speaks the ADB protocol, so the real ``adb`` client works with it. Everything behind the protocol is simulated or is
this machine: it shows that files, commands, errors and recovery are handled correctly, and nothing about a phone's
speed.
"""

from mlperf_mobile_device_adb.testing.kit import StandIns

__all__ = ["StandIns"]
