"""Models and data that run files and suites describe, with paths that begin where they are written."""

from __future__ import annotations

import pytest

MODEL = '{"factor": 2}\n'
SHA256 = "68ad4f90fd5eedf03d989cd614b1a1da92ccb7965662d6eaf2524c85dbb8325b"
RUN_FILE = """\
tasks: [product]
backend: toy
model: mine
models:
  mine:
    file: FILE
    format: toy
    task_options: {strength: 3}
    quality: [{dataset: vectors, metric: exact, reference: 0.5, ratio: 1.0, source: me}]
"""
SUITES = """\
suites:
  own:
    summary: own models
    settings:
      models: {shared: {file: models/shared.toy, format: toy}}
benchmarks:
  first: {task: product, suites: [own], settings: {model: shared}}
  second:
    task: product
    suites: [own]
    settings:
      model: own
      dataset: few
      models: {own: {file: models/own.toy, format: toy}}
      data: {few: {dataset: vectors, options: {count: 70}}}
"""


def planned(command, *arguments):
    found, done = command.json("run", *arguments, "--backend", "toy", "--dry-run")
    assert done.returncode == 0, found
    return found["plans"]


class TestRunFile:
    @pytest.mark.parametrize("file", ["models/m.toy", "../m.toy", "ABSOLUTE/m.toy"])
    def test_paths_begin_at_the_file(self, inside, file):
        """Not where the command is called; and they may lead anywhere."""
        place = inside.folder / "configs" / "mine.yaml"
        path = (place.parent / file.replace("ABSOLUTE", str(inside.folder / "far"))).resolve()
        for each, text in ((path, MODEL), (place, RUN_FILE.replace("FILE", str(file).replace(
                "ABSOLUTE", str(inside.folder / "far"))))):  # fmt: skip
            each.parent.mkdir(parents=True, exist_ok=True)
            each.write_text(text)
        (plan,) = planned(inside, "--config", "configs/mine.yaml")
        assert (plan["model"]["name"], plan["model"]["path"]) == ("mine", str(path))
        assert plan["sources"]["model.path"] == "model mine of configs/mine.yaml:6:5"
        assert (plan["task_options"]["strength"], plan["quality"]["reference"]) == (3, 0.5)

    def test_for_one_of_several_names(self, inside):
        one = "{task: product, model: mine, models: {mine: {file: m.toy, format: toy}}}"
        text = f"tasks:\n  one: {one}\n  product: {{}}\n"
        (inside.folder / "m.toy").write_text(MODEL)
        (inside.folder / "run.yaml").write_text(text)
        one, other = planned(inside, "--config", "run.yaml")
        assert (one["model"]["name"], other["model"]["name"]) == ("mine", "double")

    def test_a_model_of_the_task_is_replaced(self, inside):
        text = "tasks: [product]\nmodels: {double: {file: m.toy, format: toy}}\n"
        (inside.folder / "m.toy").write_text(MODEL)
        (inside.folder / "run.yaml").write_text(text)
        (plan,) = planned(inside, "--config", "run.yaml")
        assert (plan["model"]["path"], plan["quality"]) == (str(inside.folder / "m.toy"), None)

    def test_names_may_have_dots(self, inside):
        text = """\
tasks: [product]
models:
  mine_1: {file: m.toy, format: toy}
  mine_1.0_224: {file: n.toy, format: toy, task_options: {strength: 3}}
data: {few.1: {dataset: vectors, options: {count: 70}}}
model: mine_1.0_224
dataset: few.1
"""
        for name in ("m", "n"):
            (inside.folder / f"{name}.toy").write_text(MODEL)
        (inside.folder / "run.yaml").write_text(text)
        (plan,) = planned(inside, "--config", "run.yaml")
        assert (plan["model"]["name"], plan["model"]["path"]) == ("mine_1.0_224", str(inside.folder / "n.toy"))
        assert (plan["task_options"]["strength"], plan["dataset"]["options"]["count"]) == (3, 70)
        (plan,) = planned(inside, "--config", "run.yaml", "--model", "mine_1")
        assert plan["model"]["path"] == str(inside.folder / "m.toy")
        (inside.folder / "run.yaml").write_text(text.replace("task_options", "task_option"))
        found, _ = inside.json("run", "--config", "run.yaml", "--backend", "toy")
        assert "run.yaml:4:58: unknown key models.mine_1.0_224.task_option" in found["error"]["summary"]

    def test_names_with_dots_may_be_set_by_flags(self, inside):
        (inside.folder / "m.toy").write_text(MODEL)
        flags = ("--set", "models.m_1.0.file=m.toy", "--set", "models.m_1.0.format=toy", "--model", "m_1.0")
        (plan,) = planned(inside, "product", *flags)
        assert plan["model"]["path"] == str(inside.folder / "m.toy")

    @pytest.mark.parametrize(
        ("entry", "error"),
        [
            ("{format: toy}", "run.yaml:2:17: models.mine: either"),
            ("{file: m.toy}", "run.yaml:2:17: models.mine.format is missing"),
            ("{file: m.toy, format: toy, sha: 1}", "run.yaml:2:43: unknown key models.mine.sha"),
            ("{file: absent.toy, format: toy}", "model mine: "),
        ],
    )
    def test_a_wrong_entry_is_an_error_with_its_place(self, inside, entry, error):
        (inside.folder / "run.yaml").write_text(f"tasks: [product]\nmodels: {{mine: {entry}}}\nmodel: mine\n")
        found, done = inside.json("run", "--config", "run.yaml", "--backend", "toy")
        assert done.returncode in (2, 3, 4)
        assert error in found["error"]["summary"]

    def test_a_checksum_is_checked(self, command):
        (command.folder / "m.toy").write_text(MODEL + "\n")
        entry = f"{{file: m.toy, format: toy, sha256: {SHA256}}}"
        (command.folder / "run.yaml").write_text(f"tasks: [product]\nmodels: {{mine: {entry}}}\nmodel: mine\n")
        found, _ = command.json("run", "--config", "run.yaml", "--backend", "toy", "--quiet")
        assert found["results"][0]["error"]["code"] == "model-checksum"


class TestSuite:
    @pytest.fixture
    def own(self, inside):
        def install(suites=SUITES):
            files = {"own_parts/models/shared.toy": MODEL, "own_parts/models/own.toy": MODEL}
            plugin = """
                from mlperf_mobile.plugin import SuitesInfo, hookimpl

                @hookimpl
                def mlperf_mobile_suites():
                    yield SuitesInfo(settings="own_parts:suites.yaml", hook_api=(2, 0))
            """
            parts = {"own_parts/__init__.py": "", "own_parts/suites.yaml": suites, **files}
            inside.write_plugin("own", plugin, files=parts)
            return inside

        return install

    def test_paths_begin_in_its_package(self, own):
        command = own()
        first, second = planned(command, "--suite", "own")
        assert first["model"]["path"] == str(command.site / "own_parts/models/shared.toy")
        assert second["model"]["path"] == str(command.site / "own_parts/models/own.toy")
        assert second["sources"]["model.path"] == "model own of suite own_parts/suites.yaml:14:22"
        assert (second["dataset"]["name"], second["dataset"]["options"]["count"]) == ("few", 70)

    def test_paths_stay_in_its_package(self, own):
        found, done = own(SUITES.replace("models/own.toy", "../own.toy")).json("run", "--suite", "own", "--dry-run")
        assert done.returncode == 2
        assert "own_parts/suites.yaml:14:" in found["error"]["summary"]
        assert "'../own.toy' is not a path below a folder" in found["error"]["summary"]
