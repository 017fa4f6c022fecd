"""The backend's own options."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlperf_mobile.option_types import UserPath
from mlperf_mobile_backend_capi.shapes import parse


class COptions(BaseModel):
    """The library, and what is passed to it."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    library: UserPath | None = Field(None, description="Path of the vendor's library: /opt/vendor/libqtibackend.so.")
    benchmark: str | None = Field(
        None,
        min_length=1,
        description="Benchmark whose settings to use, by the library's name: image_classification_v2.",
    )
    delegate: str | None = Field(
        None,
        min_length=1,
        description="The benchmark's delegate, by name; by default the selected one, if it is for the accelerator.",
    )
    settings: UserPath | None = Field(
        None, description="A settings file (protobuf's text format) that replaces the library's settings."
    )
    custom_settings: dict[str, str] = Field(
        default_factory=dict, description="Settings to add to the library's, or to replace by name."
    )
    accelerator_name: str | None = Field(
        None, min_length=1, description="The accelerator name passed to the library; by default from its settings."
    )
    native_lib_path: UserPath | None = Field(
        None, description="The folder of the vendor's other libraries; by default that of library."
    )
    device_model: str | None = Field(None, description="The device model passed to the library.")
    device_manufacturer: str | None = Field(None, description="The device manufacturer passed to the library.")
    inputs: tuple[str, ...] = Field(
        (), description="Shapes of the inputs, which the library does not report: 1x224x224x3, x:1x224x224x3@0.5,128."
    )
    outputs: tuple[str, ...] = Field((), description="Shapes of the outputs, in the same form as inputs.")
    library_buffers: bool = Field(
        True, description="Copy samples into memory that the library allocates, if it has the functions."
    )
    convert_outputs: bool = Field(
        False, description="Let the library convert the pixels of an image output, as the app does for text-to-image."
    )

    context: int | None = Field(
        None, ge=2, le=1 << 20, description="Tokens of a language model's context, if the library does not report them."
    )

    @field_validator("inputs", "outputs", mode="before")
    @classmethod
    def _wrap_string(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("inputs", "outputs")
    @classmethod
    def _check_shapes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parse(text)
        return value

    @field_validator("custom_settings", mode="before")
    @classmethod
    def _flags_to_text(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {key: str(one).lower() if isinstance(one, bool) else one for key, one in value.items()}

    @field_validator("*")
    @classmethod
    def _check_no_nul(cls, value: object) -> object:
        parts = value if isinstance(value, tuple) else [*value, *value.values()] if isinstance(value, dict) else [value]
        if any("\0" in str(part) for part in parts):
            raise ValueError("contains a NUL character")
        return value

    @model_validator(mode="after")
    def _check_library(self) -> Self:
        if self.library is None and self.model_fields_set - {"library"}:
            first = sorted(self.model_fields_set - {"library"})[0]
            raise ValueError(f"{first} needs the option library, the vendor's .so file")
        return self
