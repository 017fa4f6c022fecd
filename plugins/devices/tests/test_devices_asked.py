"""What is asked of a device instead of this machine: its backends, its environment; and what cannot be asked of it."""

from __future__ import annotations

import shutil

import pytest


@pytest.mark.nightly
def test_the_doctor_of_a_device(board):
    report, done = board.command.json("doctor", "--device", board.address)
    assert done.returncode == 0, done.stderr
    assert (report["device"]["address"], report["device"]["model"]) == (board.address, "stand-in")
    (tflite,) = [each for each in report["backends"] if each["name"] == "tflite"]
    assert (tflite["usable"], tflite["accelerators_found"]) == (True, ["cpu"])
    assert report["loadgen"]["usable"] is True
    text = board.command("doctor", "--device", board.address).stdout
    assert text.startswith(f"DEVICE\n  address: {board.address}\n")
    assert "tflite: usable on cpu" in text


def test_the_backends_of_a_device(board):
    there, done = board.command.json("list", "backends", "--probe", "--device", board.address)
    assert done.returncode == 0, done.stderr
    here, _ = board.command.json("list", "backends", "--probe")
    assert [each["name"] for each in there["backends"]] == [each["name"] for each in here["backends"]]
    assert "USABLE THERE" in board.command("list-backends", "--device", board.address).stdout


def test_a_device_that_was_not_set_up(board):
    shutil.rmtree(board.root / "env")
    for words in (("doctor",), ("list", "backends")):
        done = board.command(*words, "--device", board.address)
        assert done.returncode == 9
        assert done.stderr.count("\n") == 1
        assert f"mlperf-mobile devices setup {board.address}" in done.stderr


def test_an_environment_that_does_not_work(board):
    python = board.root / "env/bin/python"
    for text, why in (
        ("echo no >&2; exit 1", "does not answer: no"),
        ("echo '{\"schema\": 1}'", "has another version"),
    ):
        python.write_text(f"#!/bin/sh\n{text}\n")
        done = board.command("doctor", "--device", board.address)
        assert (done.returncode, why in done.stderr) == (9, True), done.stderr


def test_what_makes_no_sense(board):
    for words, why in (
        (("compile", "question_answering", "--export", "built", "--device", board.address), "compiled on stand-in:"),
        (("list", "tasks", "--device", board.address), "list tasks does not accept --device"),
        (("doctor", "--device", "board"), "is not the address of a device"),
    ):
        done = board.command(*words)
        assert (done.returncode, why in done.stderr) == (2, True), done.stderr
    assert not (board.command.folder / "built").exists()
    assert board.runs == []
