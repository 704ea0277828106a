"""What a request may carry (tags): checked against the contract before it is sent."""

from bridge.servicetitan.wire import Request


class AddBulkTagsRequest(Request, frozen=True, kw_only=True):
    """What `tags.add` takes."""

    customer_ids: list[int]
    tag_type_ids: list[int]


class RemoveBulkTagsRequest(Request, frozen=True, kw_only=True):
    """What `tags.remove` takes."""

    customer_ids: list[int]
    tag_type_ids: list[int]
