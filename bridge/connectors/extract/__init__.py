"""Zero-config extraction: from the fields of any form to a person, a wish and its origins, without a mapping."""

from bridge.connectors.extract.draft import Draft
from bridge.connectors.extract.fields import Field, fields_of
from bridge.connectors.extract.placing import draft_from

__all__ = ["Draft", "Field", "draft_from", "fields_of"]
