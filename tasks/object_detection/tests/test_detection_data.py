"""Annotation files and folders: what they give, and what damaged ones get."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_object_detection.coco import Coco
from mlperf_mobile_task_object_detection.coco_json import read_instances
from mlperf_mobile_task_object_detection.coco_pbtxt import read_ground_truth
from mlperf_mobile_task_object_detection.fashion_scenes import FashionScenes
from mlperf_mobile_task_object_detection.files import image_key
from mlperf_mobile_task_object_detection.metric import MeanAveragePrecision
from mlperf_mobile_task_object_detection.options import CocoOptions

F = np.float32


def images(folder, *names, size=(100, 50)):
    for number, name in enumerate(names):
        Pillow.new("RGB", size, (number * 40,) * 3).save(folder / name, format="PNG")
    return folder


def instances(*, names=("a.jpg",), annotations=(), **more):
    listed = [{"id": n + 10, "file_name": name, "width": 100, "height": 50} for n, name in enumerate(names)]
    rows = [
        {"id": n, "image_id": i + 10, "category_id": c, "bbox": list(box), "area": 1.0, "iscrowd": 0}
        for n, (i, c, box) in enumerate(annotations)
    ]
    return {"images": listed, "annotations": rows} | more


def read(tmp_path, content):
    path = tmp_path / "instances.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_instances(path)


def read_text(tmp_path, text):
    path = tmp_path / "truth.pbtxt"
    path.write_text(text)
    return read_ground_truth(path)


class TestJson:
    def test_boxes_become_shares(self, tmp_path):
        found = read(tmp_path, instances(annotations=[(0, 3, (10, 5, 40, 30)), (0, 90, (0, 0, 100, 50))]))
        truth = found["a"]
        np.testing.assert_array_equal(truth.boxes, np.array([[0.1, 0.1, 0.7, 0.5], [0, 0, 1, 1]], F))
        assert truth.classes.tolist() == [3, 90]
        assert truth.coco.boxes.tolist() == [[10, 5, 40, 30], [0, 0, 100, 50]]
        assert (truth.coco.width, truth.coco.height) == (100, 50)

    def test_areas_and_crowds(self, tmp_path):
        told = instances(annotations=[(0, 1, (0, 0, 4, 6)), (0, 1, (0, 0, 4, 6))])
        told["annotations"][0] |= {"iscrowd": 1, "area": 7.5}
        del told["annotations"][1]["area"], told["annotations"][1]["iscrowd"]
        truth = read(tmp_path, told)["a"]
        assert truth.coco.areas.tolist() == [7.5, 24]
        assert truth.coco.crowds.tolist() == [True, False]
        assert len(truth.boxes) == 2  # crowds are objects to the reference app

    def test_boxes_that_leave_the_image(self, tmp_path):
        """The script that makes the reference app's ground truth leaves them out; COCO keeps them."""
        boxes = [(0, 0, 100, 50), (0.43, 0, 99.6, 10), (0, 45, 10, 5.0001), (100, 50, 0, 0), (-5, -5, 10, 10)]
        truth = read(tmp_path, instances(annotations=[(0, n, box) for n, box in enumerate(boxes)]))["a"]
        assert truth.classes.tolist() == [0, 3, 4]
        assert truth.coco.classes.tolist() == [0, 1, 2, 3, 4]

    def test_boxes_without_area_are_kept(self, tmp_path):
        truth = read(tmp_path, instances(annotations=[(0, 1, (10, 10, 0, 5)), (0, 1, (10, 10, 0, 0))]))["a"]
        np.testing.assert_array_equal(truth.boxes, np.array([[0.2, 0.1, 0.3, 0.1], [0.2, 0.1, 0.2, 0.1]], F))

    def test_images_without_annotations(self, tmp_path):
        found = read(tmp_path, instances(names=("a.jpg", "b.jpg"), annotations=[(0, 1, (0, 0, 1, 1))]))
        assert len(found["b"].boxes) == 0
        assert found["b"].coco.boxes.shape == (0, 4)

    def test_no_annotations_at_all(self, tmp_path):
        assert len(read(tmp_path, instances())["a"].classes) == 0

    def test_annotations_of_images_that_are_not_listed_are_passed_over(self, tmp_path):
        found = read(tmp_path, instances(annotations=[(7, 1, (0, 0, 1, 1)), (0, 2, (0, 0, 1, 1))]))
        assert found["a"].classes.tolist() == [2]

    def test_a_byte_order_mark(self, tmp_path):
        assert set(read(tmp_path, "\N{BOM}" + json.dumps(instances()))) == {"a"}

    @pytest.mark.parametrize(
        ("change", "place"),
        [
            (lambda t: t.pop("images"), "no list of images"),
            (lambda t: t.pop("annotations"), "no list of annotations"),
            (lambda t: t.update(annotations={}), "no list of annotations"),
            (lambda t: t.update(images=[1]), "no list of images"),
            (lambda t: t["images"][1].update(file_name=None), "images[1]: file_name is None"),
            (lambda t: t["images"][1].update(file_name="x/"), "images[1]: file_name is 'x/'"),
            (lambda t: t["images"][1].pop("width"), "images[1]: width is None"),
            (lambda t: t["images"][1].update(height=0), "images[1]: height is 0"),
            (lambda t: t["images"][1].update(height=1e9), "images[1]: height is 1000000000.0"),
            (lambda t: t["images"][1].update(id=True), "images[1]: id is True"),
            (lambda t: t["images"][1].update(id="b"), "images[1]: id is 'b'"),
            (lambda t: t["images"][1].update(id=10), "images[1]: another image has the id 10 too"),
            (lambda t: t["images"][1].update(file_name="x/a.png"), "x/a.png and a.jpg"),
            (lambda t: t["annotations"][0].pop("image_id"), "annotations[0]: image_id is None"),
            (lambda t: t["annotations"][0].update(category_id=-1), "annotations[0]: category_id is -1"),
            (lambda t: t["annotations"][0].update(category_id=1.5), "annotations[0]: category_id is 1.5"),
            (lambda t: t["annotations"][0].update(category_id=10**30), "annotations[0]: category_id is 1000"),
            (lambda t: t.update(categories=[{"id": 2}]), "annotations[0]: category_id 1 is not one of"),
            (lambda t: t.update(categories=[{"id": -2}]), "categories[0]: id is -2"),
            (lambda t: t.update(categories=3), "no list of categories"),
            (lambda t: t["annotations"][0].pop("bbox"), "annotations[0]: bbox is None"),
            (lambda t: t["annotations"][0].update(bbox=[1, 2, 3]), "annotations[0]: bbox is [1, 2, 3]"),
            (lambda t: t["annotations"][0].update(bbox=[1, 2, 3, "4"]), "annotations[0]: bbox is"),
            (lambda t: t["annotations"][0].update(bbox=[1, 2, -3, 4]), "annotations[0]: bbox is"),
            (lambda t: t["annotations"][0].update(bbox=[float("nan"), 2, 3, 4]), "annotations[0]: bbox is"),
            (lambda t: t["annotations"][0].update(bbox=[10**400, 2, 3, 4]), "annotations[0]: bbox is"),
            (lambda t: t["annotations"][0].update(bbox=[float("inf"), 2, 3, 4]), "annotations[0]: bbox is"),
            (lambda t: t["annotations"][0].update(area=-1), "annotations[0]: area is -1"),
            (lambda t: t["annotations"][0].update(area=[]), "annotations[0]: area is []"),
            (lambda t: t["annotations"][0].update(iscrowd=2), "annotations[0]: iscrowd is 2"),
            (lambda t: t["annotations"][0].update(iscrowd=None), "annotations[0]: iscrowd is None"),
        ],
    )
    def test_damaged_records_are_named(self, tmp_path, change, place):
        told = instances(names=("a.jpg", "b.jpg"), annotations=[(0, 1, (0, 0, 1, 1))])
        change(told)
        with pytest.raises(DataError) as caught:
            read(tmp_path, told)
        assert place in caught.value.summary
        assert "instances.json" in caught.value.summary

    @pytest.mark.parametrize(
        "text", ["", "[1, 2", "{}", "[]", "3", "[" * 100_000, '{"images": ' + "9" * 5000 + "}", "\0"]
    )
    def test_damaged_files_are_named(self, tmp_path, text):
        with pytest.raises(DataError, match=r"instances\.json") as caught:
            read(tmp_path, text)
        assert caught.value.code == "annotations"

    def test_not_text(self, tmp_path):
        (tmp_path / "x.json").write_bytes(b"\xff\xfe{}")
        with pytest.raises(DataError, match="UTF-8"):
            read_instances(tmp_path / "x.json")

    def test_missing(self, tmp_path):
        with pytest.raises(DataError, match=r"cannot read .*none\.json"):
            read_instances(tmp_path / "none.json")

    def test_a_file_without_end_is_not_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr("mlperf_mobile_task_object_detection.files.MAX_BYTES", 100)
        with pytest.raises(DataError, match="larger than 100 bytes"):
            read(tmp_path, instances(names=("a.jpg", "b.jpg")))

    JSON = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-3, 99), st.floats(), st.sampled_from(["a.jpg", "b", ""])),
        lambda inner: st.one_of(
            st.lists(inner, max_size=5),
            st.dictionaries(
                st.sampled_from(
                    ["images", "annotations", "categories", "id", "file_name", "width", "height", "image_id", "bbox"]
                ),
                inner,
                max_size=5,
            ),
        ),
    )

    @pytest.mark.slow
    @given(
        st.one_of(JSON, st.fixed_dictionaries({"images": st.lists(JSON, max_size=3), "annotations": st.lists(JSON)}))
    )
    def test_any_json_is_annotations_or_an_error(self, tmp_path_factory, content):
        try:
            found = read(tmp_path_factory.mktemp("x"), content)
        except DataError:
            return
        assert all(truth.boxes.shape == (len(truth.classes), 4) for truth in found.values())


OFFICIAL = """detection_results {
  objects {
    class_id: 64
    bounding_box {
      normalized_top: 0.55420005
      normalized_bottom: 0.8208
      normalized_left: 0.36875
      normalized_right: 0.528437
    }
  }
  objects { class_id: 72 bounding_box { normalized_top: 1e-3 normalized_bottom: .5 normalized_right: 1 } }
  image_name: "000000000139.jpg"
  image_id: 139
}
# one without objects
detection_results { image_name: "000000000285.jpg" image_id: 285 }
"""


class TestTextProtobuf:
    def test_the_apps_form(self, tmp_path):
        found = read_text(tmp_path, OFFICIAL)
        assert list(found) == ["000000000139", "000000000285"]
        truth = found["000000000139"]
        expected = [[0.55420005, 0.36875, 0.8208, 0.528437], [1e-3, 0, 0.5, 1]]
        np.testing.assert_array_equal(truth.boxes, np.array(expected, F))
        assert truth.classes.tolist() == [64, 72]
        assert truth.coco is None
        assert len(found["000000000285"].classes) == 0

    @pytest.mark.parametrize(
        "text",
        [
            "detection_results: { image_name: 'a.jpg', image_id: 1; objects < class_id: 2 bounding_box: { } > }",
            'detection_results{image_name:"a"".""jpg"objects{bounding_box{normalized_top:0f}class_id:2 score:1f}}',
            'detection_results{objects { class_id: 2 bounding_box { normalized_top: -0 }},image_name: "\\141.j\\x70" }',
        ],
    )
    def test_other_ways_to_write_the_same(self, tmp_path, text):
        truth = read_text(tmp_path, text)["a"]
        assert truth.classes.tolist() == [2]
        assert truth.boxes.tolist() == [[0, 0, 0, 0]]

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("detection_results {\n objects {\n", ":3: expected class_id, bounding_box, score or }, found the end"),
            ("results { }", ":1: expected detection_results, found 'results'"),
            ("detection_results {\n\n speed: 3 }", ":3: expected objects, image_name, image_id or }, found 'speed'"),
            ("detection_results {\n image_name: a.jpg }", ":2: expected a string, found 'a'"),
            ("detection_results { image_name 'a' }", ":1: expected :, found"),
            ("detection_results { image_name: 'a }", ":1: expected a string, found"),
            ("detection_results { image_id: 1.5 }", ":1: expected a whole number, found '1.5'"),
            ("detection_results { image_id: " + "9" * 5000 + " }", ":1: expected a whole number"),
            ("detection_results { image_id: 1 image_id: 2 }", ":1: expected one image_id only"),
            ("detection_results 3", ":1: expected {, found '3'"),
            ("detection_results { >", ":1: expected objects"),
            ("}", ":1: expected detection_results, found '}'"),
            ("detection_results { }", ":1: the image has no name"),
            (
                "detection_results { image_name: 'a' }\ndetection_results { image_name: 'a.png' }",
                ":2: a.png appears twice",
            ),
            ("detection_results { image_name: 'a'\n objects { class_id: 1 } }", ":2: the object has no box"),
            (
                "detection_results { image_name: 'a'\n objects { class_id: 1 bounding_box { normalized_top: nan } } }",
                ":2: the object has no box",
            ),
            ("detection_results { image_name: 'a'\n objects { bounding_box { } } }", ":2: class_id -1"),
            ("detection_results { image_name: 'a'\n objects { class_id: -4 bounding_box { } } }", ":2: class_id -4"),
            (
                "detection_results { image_name: 'a'\n objects { class_id: 100000 bounding_box { } } }",
                ":2: class_id 100000",
            ),
            ("@", ":1: expected detection_results, found '@'"),
        ],
    )
    def test_damaged_files_are_named_with_their_line(self, tmp_path, text, place):
        with pytest.raises(DataError) as caught:
            read_text(tmp_path, text)
        assert f"truth.pbtxt{place}" in caught.value.summary

    def test_a_file_without_end_is_not_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr("mlperf_mobile_task_object_detection.files.MAX_BYTES", 100)
        with pytest.raises(DataError, match="larger than 100 bytes"):
            read_text(tmp_path, OFFICIAL)

    WORDS = ("detection_results", "objects", "bounding_box", "class_id", "image_name", "normalized_top", "0.5", "'a'")
    PIECES = st.sampled_from([*WORDS, "nan", *'{}:<>,1-#\\\n é"'])

    @given(st.lists(PIECES, max_size=25).map(" ".join))
    @settings(max_examples=200)
    def test_any_text_is_annotations_or_an_error(self, tmp_path_factory, text):
        try:
            found = read_text(tmp_path_factory.mktemp("x"), text)
        except DataError:
            return
        assert all(truth.boxes.shape == (len(truth.classes), 4) for truth in found.values())

    NUMBERS = st.floats(-2, 2, width=32)
    OBJECTS = st.lists(st.tuples(st.integers(0, 90), NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=4)

    @given(st.dictionaries(st.text("abc/._- é\"'\\\n", min_size=1, max_size=6).filter(image_key), OBJECTS, max_size=4))
    def test_round_trip(self, tmp_path_factory, content):
        """Written as protobuf's text_format writes it: shortest numbers that give the same float32, octal escapes."""
        content = {image_key(name): (name, rows) for name, rows in content.items()}
        sides = ("normalized_top", "normalized_left", "normalized_bottom", "normalized_right")
        text = ""
        for name, rows in content.values():
            text += "detection_results {\n"
            for category, *box in rows:
                told = "".join(f"      {side}: {F(v)!s}\n" for side, v in zip(sides, box, strict=True))
                text += f"  objects {{\n    class_id: {category}\n    bounding_box {{\n{told}    }}\n  }}\n"
            escaped = "".join(c if c.isalnum() and c.isascii() else f"\\{ord(c):03o}" for c in name)
            text += f'  image_name: "{escaped}"\n}}\n'
        found = read_text(tmp_path_factory.mktemp("x"), text)
        assert list(found) == list(content)
        for key, (_, rows) in content.items():
            assert found[key].boxes.tolist() == [list(row[1:]) for row in rows]
            assert found[key].classes.tolist() == [row[0] for row in rows]


class TestNames:
    @pytest.mark.parametrize(
        ("name", "key"),
        [
            ("000000000139.jpg", "000000000139"),
            ("val2017/000000000139.jpg", "000000000139"),
            ("a\\b.rgb8", "b"),
            ("a.b.png", "a.b"),
            ("plain", "plain"),
            (".hidden", ".hidden"),
            ("folder/", ""),
        ],
    )
    def test_folder_and_suffix_do_not_matter(self, name, key):
        """The reference app compares names without folder, and takes any suffix as .jpg."""
        assert image_key(name) == key


class TestCoco:
    def test_images_are_in_the_order_of_their_names_and_matched_by_them(self, tmp_path):
        images(tmp_path, "b.png", "a.jpg", "c.jpeg")
        told = instances(
            names=("c.jpg", "x.jpg", "b.jpg", "a.jpg"), annotations=[(0, 3, (0, 0, 1, 1)), (3, 1, (0, 0, 1, 1))]
        )
        (tmp_path / "instances_val2017.json").write_text(json.dumps(told))
        data = Coco(tmp_path, CocoOptions())
        assert [int(data.sample(n).pixels[0, 0, 0]) for n in range(len(data))] == [40, 0, 80]
        assert [data.truth(n).classes.tolist() for n in range(3)] == [[1], [], [3]]

    @pytest.mark.parametrize("place", ["", "annotations", "..", "../annotations"])
    @pytest.mark.parametrize(
        "name", ["instances_val2017.json", "instances.json", "coco_val_full.pbtxt", "coco_val.pbtxt"]
    )
    def test_usual_names_and_places(self, tmp_path, place, name):
        folder = tmp_path / "val2017"
        folder.mkdir()
        images(folder, "a.png")
        (folder / place).mkdir(exist_ok=True)
        text = json.dumps(instances()) if name.endswith("json") else "detection_results { image_name: 'a.jpg' }"
        (folder / place / name).write_text(text)
        assert len(Coco(folder, CocoOptions()).truth(0).classes) == 0

    def test_any_file_by_option(self, tmp_path):
        images(tmp_path, "a.png")
        (tmp_path / "mine.json").write_text(json.dumps(instances(annotations=[(0, 8, (0, 0, 1, 1))])))
        (tmp_path / "mine.textproto").write_text("detection_results { image_name: 'a' }")
        assert Coco(tmp_path, CocoOptions.model_validate({"annotations": tmp_path / "mine.json"})).truth(
            0
        ).classes.tolist() == [8]
        assert (
            Coco(tmp_path, CocoOptions.model_validate({"annotations": str(tmp_path / "mine.textproto")}))
            .truth(0)
            .classes.tolist()
            == []
        )

    def test_the_file_is_found_from_anywhere(self, tmp_path, monkeypatch):
        """The plan names it in full: a relative path is one of the folder where the options were given."""
        monkeypatch.chdir(tmp_path)
        assert CocoOptions(annotations=Path("val.json")).annotations == tmp_path / "val.json"
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert CocoOptions(annotations=Path("~/val.json")).annotations == tmp_path / "home" / "val.json"

    def test_without_annotations_there_is_no_truth(self, tmp_path):
        data = Coco(images(tmp_path, "a.png"), CocoOptions())
        assert data.sample(0).pixels.shape == (50, 100, 3)
        with pytest.raises(DataError) as caught:
            data.truth(0)
        assert caught.value.code == "no-labels"

    @pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_text("a file")])
    def test_no_images(self, tmp_path, make):
        make(tmp_path / "d")
        with pytest.raises(DataError) as caught:
            Coco(tmp_path / "d", CocoOptions())
        assert str(tmp_path / "d") in caught.value.summary

    def test_two_images_of_one_name(self, tmp_path):
        """The reference app would keep the last one's detections alone."""
        with pytest.raises(DataError, match=r"a\.jpg and a\.png") as caught:
            Coco(images(tmp_path, "a.jpg", "a.png"), CocoOptions())
        assert caught.value.code == "image-names"

    def test_annotations_of_other_images(self, tmp_path):
        images(tmp_path, "a.png", "b.png")
        for name, text in (("x.json", json.dumps(instances(names=("c.jpg",)))), ("x.pbtxt", OFFICIAL)):
            (tmp_path / name).write_text(text)
            with pytest.raises(DataError, match=r"has none of the images in .*, such as a\.png"):
                Coco(tmp_path, CocoOptions.model_validate({"annotations": tmp_path / name}))

    def test_an_image_that_json_does_not_list(self, tmp_path):
        """COCO lists all images, also those without objects."""
        images(tmp_path, "a.png", "b.png")
        (tmp_path / "instances.json").write_text(json.dumps(instances()))
        with pytest.raises(DataError, match=r"does not list b\.png"):
            Coco(tmp_path, CocoOptions())

    def test_an_image_that_a_text_protobuf_does_not_list_has_no_objects(self, tmp_path):
        """As in the reference app: what is detected there is wrong."""
        images(tmp_path, "a.png", "000000000139.png")
        (tmp_path / "coco_val_full.pbtxt").write_text(OFFICIAL)
        data = Coco(tmp_path, CocoOptions())
        assert [len(data.truth(n).classes) for n in range(2)] == [2, 0]

    def test_nothing_is_decoded_before_it_is_requested(self, tmp_path):
        (tmp_path / "broken.jpg").write_bytes(b"")
        data = Coco(tmp_path, CocoOptions())
        with pytest.raises(DataError):
            data.sample(0)

    def test_fingerprints_are_those_of_the_files(self, tmp_path):
        data = Coco(images(tmp_path, "a.png", "b.png", "c.png"), CocoOptions())
        (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes())
        prints = [data.fingerprint(n) for n in range(3)]
        assert prints[0] == prints[2] != prints[1]

    def test_both_formats_score_the_same(self, tmp_path):
        """The text protobuf is written as the reference app's script does, in double precision and rounded once."""
        rng = np.random.default_rng(3)
        names = [f"{n}.png" for n in range(5)]
        images(tmp_path, *names)
        rows = [
            (int(rng.integers(5)), int(rng.integers(1, 4)), np.round(rng.uniform(0, 25, 4), 2).tolist())
            for _ in range(20)
        ]
        told = instances(names=names, annotations=rows)
        (tmp_path / "x.json").write_text(json.dumps(told))
        text = ""
        for number, name in enumerate(names):
            text += f'detection_results {{ image_name: "{name}"\n'
            for image, category, (left, top, width, height) in rows:
                if image == number:
                    sides = {
                        "top": top / 50,
                        "left": left / 100,
                        "bottom": (top + height) / 50,
                        "right": (left + width) / 100,
                    }
                    box = " ".join(f"normalized_{side}: {F(value)!s}" for side, value in sides.items())
                    text += f"objects {{ class_id: {category} bounding_box {{ {box} }} }}\n"
            text += "}\n"
        (tmp_path / "x.pbtxt").write_text(text)
        values = []
        for file in ("x.json", "x.pbtxt"):
            metric = MeanAveragePrecision(
                Coco(tmp_path, CocoOptions.model_validate({"annotations": tmp_path / file})), 91
            )
            for number in range(5):
                truth = metric._truths[number]
                noise = np.random.default_rng(number).normal(0, 0.01, truth.boxes.shape)
                answers = zip(truth.boxes + noise, truth.classes, strict=True)
                metric.update(number, b"".join(struct.pack("<7f", 0, *box, 0.5, c) for box, c in answers))
            values.append(metric.score().value)
        assert values[0] == values[1] > 0


class TestFashionScenes:
    def test_the_packaged_folder(self):
        data = FashionScenes(None, None)
        truths = [data.truth(n) for n in range(len(data))]
        assert len(data) == 250
        assert {c for truth in truths for c in truth.classes} == set(range(1, 11))
        assert all(1 <= len(truth.classes) <= 5 for truth in truths)
        assert data.sample(0).pixels.shape == (128, 128, 3)

    def test_a_changed_packaged_folder_is_noticed(self, monkeypatch):
        monkeypatch.setattr("mlperf_mobile_task_object_detection.fashion_scenes.SHA256", "0" * 64)
        with pytest.raises(DataError, match="sha256"):
            FashionScenes(None, None)
