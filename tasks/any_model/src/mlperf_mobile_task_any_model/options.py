"""The options of the inputs."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_SAMPLES = 4096

Bounds = Annotated[tuple[float, float], Field(description="[low, high]")]


class InputsOptions(BaseModel):
    """Options of ``tensors``; they change generated inputs only, not those in a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(default=64, ge=1, le=MOST_SAMPLES, description="how many different samples are generated")
    seed: int = Field(default=0, ge=0, lt=1 << 64, description="seed of generated samples")
    ranges: dict[str, Bounds] = Field(
        default_factory=dict,
        description="lowest and highest value of generated inputs by name, such as `{ids: [0, 30521], mask: [1, 1]}`; "
        "of quantised inputs the real values; `*` stands for all others",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, (low, high) in self.ranges.items():
            if not (abs(low) < float("inf") and abs(high) < float("inf")) or low > high:
                raise ValueError(f"ranges.{name}: {low:g} to {high:g} is no range; write [low, high]")
        return self
