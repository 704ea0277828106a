"""Zero-config extraction: from the fields of any form to a person, a wish and its origins, without a mapping."""

from bridge.connectors.extract.draft import Draft, draft_from
from bridge.connectors.extract.fields import Field, fields_of

__all__ = ["Draft", "Field", "draft_from", "fields_of"]
