"""The small models of the conformance kit; ``tools/kit_models.py`` of the project writes them.

Each is a ``.tflite`` and an ``.onnx`` file: ``double`` (``y = x + x`` on float32[1, 4]), ``double_int8`` (the same on
int8, from scale 0.5 and zero point -3 to scale 1 and zero point 7), ``double_open`` (on float32[1, ?]) and
``two_outputs`` (``y = x + x`` and ``z = y + x`` on float32[1, 4]). ``language_model`` is a ``.tflite`` file only, of
random weights, with the signatures ``prefill_4``, ``prefill_8`` and ``decode``, a context of 32 tokens and a vocabulary
of 48.
"""

from pathlib import Path

__all__ = ["beside", "packaged"]

_FOLDER = Path(__file__).parent


def packaged(name: str, form: str) -> Path | None:
    """The kit's model of a name in a format, such as ``tflite``; None if the kit does not have it.

    The distribution is unpacked, so its files have paths.
    """
    path = _FOLDER / f"{name}.{form}"
    return path if path.is_file() else None


def beside(model: Path, name: str) -> Path | None:
    """Another of the kit's models, in the format of ``model``; None if ``model`` is not the kit's."""
    return packaged(name, model.suffix.removeprefix(".")) if model.parent == _FOLDER else None
