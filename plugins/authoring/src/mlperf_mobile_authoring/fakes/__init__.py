"""Fakes for tests of plugins: a backend in NumPy, a small task and its data, which are no installed plugins.

``installed`` makes them one in a folder for ``PYTHONPATH``, so that ``mlperf-mobile`` finds them there::

    command = Command(tmp_path, env={"PYTHONPATH": str(fakes.installed(tmp_path / "site"))})
    result, done = command.run("fake_classes", "--set", "backend_options.latency_ms=2")

The backend's options inject latency, failures, crashes and drift. Its models are ``.npz`` files, which
``fakes.model.save_model`` writes. Nothing that it measures says anything about a device.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["installed"]


def installed(folder: Path, module: str = "mlperf_mobile_authoring.fakes.plugin", name: str = "fakes") -> Path:
    """Make a plugin module an installed one for processes whose ``PYTHONPATH`` has the folder; returns the folder.

    Args:
        folder: Created if it does not exist.
        module: The module with the hooks.
        name: The name of the distribution and of its entry point.
    """
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[mlperf_mobile]\n{name} = {module}\n", encoding="utf-8")
    return folder
