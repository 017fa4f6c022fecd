"""Which of a folder's files is the model: by its suffix, or by its whole name."""

from pathlib import Path

import pytest

from mlperf_mobile.config.model_folder import has_format, main_of
from mlperf_mobile.errors import ModelError


def main(formats, *names):
    return main_of({name: Path(name) for name in names}, formats, Path("folder"), "--model")


def test_a_format_can_be_a_whole_name():
    names = ("acme_model.json", "tokenizer.json", "1.bin")
    assert main({"acme_model.json", "onnx"}, *names) == ("acme_model.json", "acme_model.json")
    assert main({"acme_model.json"}, "deep/Acme_Model.json", "a.json") == ("deep/Acme_Model.json", "acme_model.json")
    with pytest.raises(ModelError, match="model-files"):
        main({"acme_model.json"}, "model.json", "tokenizer.json")
    with pytest.raises(ModelError, match=r"each of acme_model\.json, net\.onnx could be the model"):
        main({"acme_model.json", "onnx"}, *names, "net.onnx")


@pytest.mark.parametrize("name", ["xacme_model.json", "acme_model.json.bak", "acme_model.json/x"])
def test_other_names_are_not_it(name):
    assert not has_format(name, "acme_model.json")
