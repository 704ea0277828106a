"""The common ground of form builders: one kind of message, a list of fields, an id and a time."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from bridge.connectors.base import Normalized, SourceOptions
from bridge.connectors.dialect import Dialect, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import JSON_TYPES
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.values import moment

SUBMISSION = "form_submission"


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What a form builder sends: its fields, the submission's own id, when it was sent in (as written)."""

    fields: Iterable[Field]
    ident: str = ""
    at: Any = None


class FormSender(Dialect):
    """A form builder whose hook tells of submissions and nothing else."""

    content_types = JSON_TYPES
    handled: ClassVar[frozenset[str]] = frozenset({SUBMISSION})
    time_zone: ClassVar[str] = "UTC"
    """In which zone a time without one is written."""

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return the fields, id and time of a payload."""
        raise NotImplementedError

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the one kind there is."""
        del payload, request
        return SUBMISSION

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the submission's id."""
        del request
        return self.submission(payload, SourceOptions()).ident

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return the submission as one wish for service."""
        told = self.submission(payload, options)
        draft = self.draft(told.fields, payload, delivery, options)
        at = moment(told.at, time_zone=self.time_zone)
        return wish(
            draft, delivery.event_type, key=told.ident or delivery.dedup_key, record_id=told.ident, occurred_at=at
        )
