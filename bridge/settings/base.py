"""The block every part of the config is made of."""

from pydantic import BaseModel, ConfigDict

Reference = int | str
"""An id of ServiceTitan, or the name its record goes by there."""


class Block(BaseModel):
    """A block of the config: frozen, strict about types, and closed against keys nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
