"""Accuracies that official submissions have in texts beside their logs; published values, in the published forms."""

from __future__ import annotations

import json

import pytest

from mlperf_mobile_rounds.official.imported import read

SCRIPTS = {
    "accuracy=76.07%, good=38035, total=50000\n": 0.7607,
    'Evaluating predictions...\n{"exact_match": 81.72, "f1": 89.17}\n': None,
}


@pytest.mark.parametrize(("text", "value"), SCRIPTS.items())
def test_what_a_script_printed_beside_the_log(text, value, tree, registry):
    tree.result.unlink()
    (tree.single.with_name("log_accuracy") / "accuracy.txt").write_text(text)
    (result,) = [each for each in read(tree.root, registry)[0] if each.scenario == "single-stream"]
    assert (result.accuracy and result.accuracy.value) == (value and pytest.approx(value))


def test_what_the_app_printed_on_a_device_without_a_screen(tree, registry):
    tree.result.unlink()
    (tree.device / "accuracy_results.txt").write_text(
        "#######image_classification###### \n"
        "2023-03-02 09:06:01.395482: I flutter/cpp/binary/main.cc:374] Accuracy: 75.35%\n"
        "#######image_classification_offline###### \n"
        "2023-03-02 09:30:18.840094: I flutter/cpp/binary/main.cc:374] Accuracy: 75.36%\n"
    )
    found = {each.scenario: each.accuracy.value for each in read(tree.root, registry)[0]}
    assert found == {"single-stream": pytest.approx(0.7535), "offline": pytest.approx(0.7536)}


def test_padding_is_no_part_of_the_score(tree, registry):
    """24,720 samples are counted where 24,576 were asked for; LoadGen's log says 3,072 a second."""
    data = json.loads(tree.result.read_text())
    run = data["results"][1]["performance_run"]
    run["measured_samples"], run["throughput"]["value"] = 24720, 24720 / 8.0
    tree.json(tree.result, data)
    (result,) = [each for each in read(tree.root, registry)[0] if each.scenario == "offline"]
    assert result.performance.throughput == 3072
    assert result.origin.published_score == 3090
    assert "padding" in result.origin.throughput
    (alone,) = [each for each in read(tree.result, registry)[0] if each.scenario == "offline"]
    assert alone.performance.throughput == pytest.approx(3072)
