"""What is hidden of a sentence, and what must stay for it to say anything."""

import pytest

from bridge.reports import masking

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A booking for customer 10000001.", "A booking for customer 10000001."),
        ("Matched customer 81234567, location 912345678 (known).", "Matched customer 81234567, location 912345678 (known)."),
        ("They wrote: call 5550142 now", "They wrote: call ••• 0142 now"),
        ("customer 5125550142 called", "customer ••• 0142 called"),
        ("customer 512-5550 called", "customer ••• 5550 called"),
        ("from dana@example.com", "from d•••@example.com"),
    ],
)  # fmt: skip
def test_ids_of_servicetitan_stay_and_phone_numbers_do_not(text: str, shown: str) -> None:
    assert masking.prose(text) == shown


def test_a_known_phone_is_hidden_wherever_it_stands() -> None:
    assert masking.prose("customer 5550142", known=["5550142"]) == "customer ••• 0142"


def test_no_part_of_an_address_is_shown_but_its_state() -> None:
    address = {
        "street": "1422 Oak St",
        "unit": "Suite 12",
        "city": "Austin",
        "state": "TX",
        "zip": "78704",
        "country": "USA",
    }
    hidden = masking.tree({"person": {"address": address}})["person"]["address"]
    assert (hidden["state"], hidden["country"]) == ("TX", "USA")
    assert not {hidden[part] for part in ("street", "unit", "city", "zip")} & set(address.values())
