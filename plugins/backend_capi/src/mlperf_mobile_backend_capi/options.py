"""The backend's own options."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlperf_mobile_backend_capi.shapes import parse


class COptions(BaseModel):
    """Which library, and what it is told."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    library: Path | None = Field(None, description="The vendor's library, a path: /opt/vendor/libqtibackend.so.")
    benchmark: str | None = Field(
        None, min_length=1, description="Whose settings to use, by the library's name: image_classification_v2."
    )
    delegate: str | None = Field(
        None,
        min_length=1,
        description="The benchmark's delegate, by name; by default the selected one, if it suits the accelerator.",
    )
    settings: Path | None = Field(
        None, description="A file of settings (protobuf's text format) that replaces what the library says."
    )
    custom_settings: dict[str, str] = Field(
        default_factory=dict, description="Settings that are added to those of the library, or replace them."
    )
    accelerator_name: str | None = Field(
        None, min_length=1, description="What the library is told as accelerator, where its settings do not say it."
    )
    native_lib_path: str | None = Field(
        None, description="The folder of the vendor's other libraries; by default that of library."
    )
    device_model: str | None = Field(None, description="What the library is told as the device's model.")
    device_manufacturer: str | None = Field(None, description="What the library is told as the device's manufacturer.")
    inputs: tuple[str, ...] = Field(
        (), description="Shapes of the inputs, which the library does not tell: 1x224x224x3, or x:1x224x224x3@0.5,128."
    )
    outputs: tuple[str, ...] = Field((), description="Shapes of the outputs, as for inputs.")
    library_buffers: bool = Field(
        True, description="Copy samples into memory that the library allocates, where it has functions for that."
    )
    convert_outputs: bool = Field(
        False, description="Let the library convert the pixels of an image output, as the app does for text-to-image."
    )

    @field_validator("inputs", "outputs", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("inputs", "outputs")
    @classmethod
    def _are_shapes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parse(text)
        return value

    @field_validator("custom_settings", mode="before")
    @classmethod
    def _flags_are_text(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {key: str(one).lower() if isinstance(one, bool) else one for key, one in value.items()}

    @field_validator("*")
    @classmethod
    def _no_nul(cls, value: object) -> object:
        parts = value if isinstance(value, tuple) else [*value, *value.values()] if isinstance(value, dict) else [value]
        if any("\0" in str(part) for part in parts):
            raise ValueError("holds a NUL character")
        return value

    @model_validator(mode="after")
    def _need_a_library(self) -> Self:
        if self.library is None and self.model_fields_set - {"library"}:
            first = sorted(self.model_fields_set - {"library"})[0]
            raise ValueError(f"{first} is given without library, the vendor's .so file")
        return self
