"""Results, plans and journals of schema 1, kept from the version that wrote them, are read by every command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

KEPT = Path(__file__).with_name("schema1")
SINGLE = "20261129T004433-product-single-stream-7cc714df"
OFFLINE = "20261129T004437-product-offline-6b34c6db"
SUSTAINED = "20261129T004441-product-sustained-bfff31d1"
INVALID = "20261129T004444-product-single-stream-9b5d770e"
FAILED = "20261129T004447-product-single-stream-823193b0"
TFLITE = "20261129T004451-image_classification-single-stream-d6463ccd"
OF_A_ROUND = ("20261129T004510-product-single-stream-03b97634", "20261129T004510-product-single-stream-1b475a6e")
EVERY = (SINGLE, OFFLINE, SUSTAINED, INVALID, FAILED, TFLITE, *OF_A_ROUND)


@pytest.fixture
def kept(inside):
    """The command, in a folder with the kept results."""
    return beside(inside)


def beside(command):
    shutil.copytree(KEPT, command.folder, dirs_exist_ok=True)
    command.old, command.killed = command.folder / "results", command.folder / "killed"
    return command


def written(name):
    """What the earlier version wrote, as JSON."""
    return json.loads((KEPT / "results" / name / "result.json").read_text())


@pytest.mark.parametrize("name", EVERY)
def test_show(kept, name):
    """Identity, load, numbers and rules are those that were written."""
    shown, done = kept.json("show", kept.old / name)
    old = written(name)
    assert done.returncode == 0
    assert {key: shown[key] for key in ("run_id", "task", "backend", "scenario", "status", "valid", "rules")} == {
        key: old[key] for key in ("run_id", "task", "backend", "scenario", "status", "valid", "rules")
    }
    assert shown["model"]["sha256"] == old["model"]["sha256"]
    assert (shown["performance"] or {}).get("score") == (old["performance"] or {}).get("score")
    assert (shown["accuracy"] or {}).get("value") == (old["accuracy"] or {}).get("value")
    text = kept("show", kept.old / name).stdout
    assert (old["runtime"] or old["model"]["name"]) in text


def test_check_finds_them_unchanged(kept):
    """Each follows from its plan, journal and files, and only its own verdict is held against it."""
    told, done = kept.json("check", kept.old)
    errors = [(finding["rule"], finding["text"]) for finding in told["findings"] if finding["severity"] == "error"]
    assert done.returncode == 1
    assert sorted(errors) == [
        ("valid", "the result is FAILED worker-died"),
        ("valid", "the result is INVALID because quality-target: 0.9 of 0.98"),
    ]
    assert told["passed"]["own-fields"] == len(EVERY)
    assert told["passed"]["accuracy-recomputed"] >= 4


def test_check_finds_an_edit(kept):
    """A changed number is reported by name."""
    path = kept.old / SINGLE / "result.json"
    result = json.loads(path.read_text())
    result["performance"]["latency_ns"]["p90"] /= 2
    path.write_text(json.dumps(result, indent=2) + "\n")
    told, _ = kept.json("check", kept.old / SINGLE)
    assert any("performance.latency_ns.p90" in finding["text"] for finding in told["findings"])


def test_seeds_that_contradict_each_other_are_refused(kept):
    """Schema 1 has them twice."""
    path = kept.old / SINGLE / "result.json"
    result = json.loads(path.read_text())
    result["seeds"]["qsl"] += 1
    path.write_text(json.dumps(result))
    done = kept("show", kept.old / SINGLE)
    assert (done.returncode, "error[result-damaged]" in done.stderr) == (6, True)


def test_compare_and_report(kept):
    """Their scores stand beside each other."""
    told, done = kept.json("compare", kept.old / SINGLE, kept.old / OF_A_ROUND[0], kept.old / OFFLINE)
    assert done.returncode == 0, done.stderr
    timed = [row["value"] for group in told["groups"] for row in group["rows"]]
    assert written(SINGLE)["performance"]["score"]["value"] in timed
    done = kept("report", kept.old, "--output", kept.folder / "page.html")
    assert done.returncode == 0, done.stderr
    page = (kept.folder / "page.html").read_text()
    assert all(name in page for name in (SINGLE, OFFLINE, SUSTAINED, INVALID, FAILED, TFLITE))


def test_leaderboard_score_and_export(kept):
    """A result is ranked, its log scored again, and it is written as the app's file."""
    assert kept("leaderboard", "--with", kept.old / TFLITE).returncode == 0
    done = kept("score", kept.old / SINGLE)
    assert done.returncode == 0, done.stderr
    assert "exact 1.0000 of 100 samples" in done.stdout
    done = kept("export", kept.old / TFLITE, "--format", "app", "--output", kept.folder / "app.json")
    assert "result-" not in done.stderr  # it has no accuracy, or is of no round; it can be read


@pytest.mark.parametrize("again", [["comply"], ["audit", "--tries", "1", "--cooldown-s", "0"]])
def test_measuring_again(command, again):
    """The plan is read and a worker begins; the model of the other machine is not here."""
    kept = beside(command)
    done = kept(*again, kept.old / SINGLE, "--output", kept.folder / "again")
    assert done.returncode != 0
    assert "model-missing" in done.stdout + done.stderr


def test_recover(kept):
    """A run whose launcher was killed under the earlier version becomes a result of this one."""
    told, done = kept.json("recover", kept.killed)
    (result,) = told["results"]
    assert done.returncode == 0, done.stderr
    assert result["status"] == "interrupted"
    (latencies,) = KEPT.glob("killed/.*.partial/latencies.bin")
    assert result["performance"]["queries"] == latencies.stat().st_size / 8
    assert kept("check", kept.killed).returncode == 1


def test_resume(kept):
    """A session of the earlier version is read, and is over."""
    (session,) = kept.old.glob("*.session.json")
    data = json.loads(session.read_text())
    session.write_text(json.dumps(data | {"output": str(kept.old)}))
    done = kept("run", "--resume", session, "--quiet")
    assert done.returncode == 0, done.stderr
