"""What ServiceTitan answers (contacts): any field but the primary key may be missing."""

from bridge.servicetitan.wire import Answer, Moment


class ContactMethodResponse(Answer, frozen=True):
    """What `contacts.find_methods`, `contacts.methods` and `contacts.create_method` answer."""

    id: str
    contact_id: str | None = None
    reference_id: str | None = None
    type: str | None = None
    value: str | None = None
    memo: str | None = None
    created_on: Moment | None = None
    created_by: int | None = None
    modified_on: Moment | None = None
    modified_by: int | None = None


class ContactPreferenceResponse(Answer, frozen=True):
    """What `contacts.preferences`, `contacts.get_preference` and `contacts.update_preference` answer."""

    name: str | None = None
    data_type: str | None = None
    value: str | None = None


class ContactResponse(Answer, frozen=True):
    """What `contacts.list`, `contacts.create` and `contacts.get` answer."""

    id: str
    reference_id: str | None = None
    name: str | None = None
    title: str | None = None
    is_archived: bool | None = None
    created_on: Moment | None = None
    created_by: int | None = None
    modified_on: Moment | None = None
    modified_by: int | None = None


class ContactRelationshipResponse(Answer, frozen=True):
    """What `contacts.relationships` answers."""

    id: str
    related_entity_id: int | None = None
    type_name: str | None = None
    type_slug: str | None = None
    created_on: Moment | None = None
    created_by: int | None = None


class ContactPreferenceTypeResponse(Answer, frozen=True):
    """What `contacts.preference_types` answers."""

    id: str
    name: str | None = None
    description: str | None = None
    data_type: str | None = None
