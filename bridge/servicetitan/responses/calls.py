"""What ServiceTitan answers (calls): any field but the primary key may be missing."""

import msgspec

from bridge.servicetitan.responses.common import NamedModel
from bridge.servicetitan.wire import Answer, Moment


class JobModel(Answer, frozen=True):
    """Part of `ExportCallResponse`."""

    id: int
    number: str | None = None


class LeadModel(Answer, frozen=True):
    """Part of `ExportCallResponse`."""

    id: int


class ExportCallResponse(Answer, frozen=True):
    """What `exports.calls` answers."""

    id: int
    duration: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    direction: str | None = None
    status: str | None = None
    type: str | None = None
    recording_url: str | None = None
    voice_mail_path: str | None = None
    created_on: Moment | None = None
    modified_on: Moment | None = None
    reason: NamedModel | None = None
    customer: NamedModel | None = None
    location: NamedModel | None = None
    campaign: NamedModel | None = None
    job: JobModel | None = None
    agent: NamedModel | None = None
    created_by: NamedModel | None = None
    excuse_memo: str | None = None
    tag: str | None = None
    active: bool | None = None
    lead: LeadModel | None = None
