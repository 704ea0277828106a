"""What people type into forms comes out in its place, whatever the form calls it; what has no place stays an answer."""

import os
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bridge.connectors.base import SourceOptions
from bridge.connectors.dialect import wish
from bridge.connectors.extract import Draft, Field, draft_from, fields_of
from bridge.connectors.extract.labels import EXACT
from bridge.connectors.extract.reading import DATE_PARTS, PARTS, UNTOLD_PARTS, WHOLE_PARTS
from bridge.connectors.payloads import unfolded
from bridge.domain.inquiry import BookingInquiry
from bridge.domain.reasons import Reason


def drafted(data: Any) -> Draft:
    return draft_from(fields_of(data), options=SourceOptions())


def booked(data: Any) -> BookingInquiry:
    return drafted(data).booking(key="k")


@pytest.mark.parametrize(
    ("label", "value", "phones"),
    [
        ("Phone", "(512) 555-0123", ["(512) 555-0123"]),
        ("Phone", "512-555-0123 ext. 45", ["512-555-0123 ext. 45"]),
        ("Best number to call you on (phone)", "512.555.0123 x45", ["512.555.0123 x45"]),
        ("Teléfono celular", "+52 55 5555 0123", ["+52 55 5555 0123"]),
        ("Phone", "512-555-0123 or 512-555-0188", ["512-555-0123", "512-555-0188"]),
        ("Phones", ["5125550123", "5125550188"], ["5125550123", "5125550188"]),
        ("Cell", "tel:+15125550123", ["+15125550123"]),
        ("No Label field_2", "5125550123", ["5125550123"]),
        ("How do we reach you?", "(512) 555-0123", ["(512) 555-0123"]),
        ("Order reference", "5125550123", []),
        ("Phone", "ask my wife", []),
        ("Phone", "01 555 0123", ["01 555 0123"]),
        ("Installed on", "2026-01-02 10:00", []),
    ],
)
def test_phones(label: str, value: Any, phones: list[str]) -> None:
    draft = drafted({label: value})
    assert draft.phones == phones
    assert bool(draft.answers) is not bool(phones)


SAID = [
    (
        "person.name", "Dana Reyes",
        "Name *|First & Last Name|Name (required)|Customer|Your full name|Contact person|"
        "Nombre y apellidos *|Nombre del cliente|Nombre:",
    ),
    (
        "person.phones.0", "512-555-0142",
        "Phone (required)|Cell #|Tel.|Mobile No.|Ph|Best phone|Phone Number *|Daytime Phone Number|"
        "Your Phone|Número de contacto|Tel. móvil|Teléfono de casa|N.º de teléfono|Número telefónico|"
        "Contact #",
    ),
    (
        "person.emails.0", "d@example.com",
        "Your E-Mail Address *|Email:|E-mail (optional)|Email Address (for confirmation)|Correo|"
        "Correo electrónico *|Dirección de correo electrónico|E-mail de contacto",
    ),
    (
        "person.address.zip", "78701",
        "Zip/Postal Code|ZIP *|Postcode|Service ZIP|Código postal *|C.P.",
    ),
    (
        "person.address.state", "TX",
        "State / Province|State *|Estado/Provincia",
    ),
    (
        "person.address.city", "Austin",
        "City *|City/Town|Suburb|Ciudad o municipio",
    ),
    (
        "person.address.unit", "4B",
        "Street Address Line 2|Apt/Suite|Unit #|Apartamento / piso",
    ),
    (
        "person.address", "12 Elm Street",
        "Service Address *|Where is the property located?|Address of the home|Dirección de la casa|"
        "Dirección completa *|Domicilio del servicio",
    ),
    (
        "message", "It hums",
        "How Can We Help?|Issue description|Please describe your issue in detail|Tell us about your project|"
        "What's going on with your system?|Additional notes|Comments or questions|Cuéntenos su problema|"
        "Describa su problema|Mensaje *|Detalles adicionales|¿En qué le podemos ayudar?|Message / Comments|"
        "Reason for visit|Descripción del servicio",
    ),
    (
        "service", "AC repair",
        "What service are you interested in?|Select a service|Type of service needed|Service(s) requested|"
        "Which service are you looking for?|I need help with|¿Qué servicio le interesa?|"
        "Servicio que necesita|Seleccione un servicio|Tipo de trabajo",
    ),
    (
        "preferred_time", "tomorrow",
        "Preferred Contact Time|Best day to schedule|Preferred appointment date *|When should we call?|"
        "Requested date of service|Fecha y hora preferida|¿Cuándo le conviene?|Mejor momento para llamar|"
        "Día preferido",
    ),
    (
        "consent", "yes",
        "I consent to receive SMS messages|SMS opt-in|By checking this box, I agree to receive texts|"
        "Consent *|Acepto recibir mensajes|Autorizo el contacto por SMS|Marketing consent|Terms & Conditions",
    ),
    (
        "attribution.gclid", "G",
        "GCLID|gclid_field|Google Click ID",
    ),
    (
        "is_test", "yes",
        "is_test|Test Lead",
    ),
    (
        "answers.0", "2010",
        "¿Cuándo fue instalado?|Year the unit was installed|How did you hear about us?|Is this an emergency?|"
        "Brand",
    ),
]  # fmt: skip
"""Where a value goes, a value, and the labels that say so, as forms in both languages write them."""


@pytest.mark.parametrize(
    ("place", "value", "label"), [(place, value, label) for place, value, said in SAID for label in said.split("|")]
)
def test_what_labels_ask_for(place: str, value: str, label: str) -> None:
    assert booked({label: value}).origins[place] == label


def test_one_number_in_two_spellings_is_one() -> None:
    data = {"Phone": "(512) 555-0123", "Mobile": "+1 512 555 0123", "Work phone": "512-555-0123 ext 9"}
    assert drafted(data).phones == ["(512) 555-0123"]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (
            {"Where is the work?": "1600 Oak Ave NW Apt 4, Austin, TX 78701"},
            {"street": "1600 Oak Ave NW Apt 4", "city": "Austin", "state": "TX", "zip": "78701"},
        ),
        (
            {"Address": "12 Main St\nAustin, Texas 78701-1234"},
            {"street": "12 Main St", "city": "Austin", "state": "TX", "zip": "78701-1234"},
        ),
        (
            {"Street": "12 Main", "Apt": "4", "Town": "Austin", "State": "TX", "Zip code": "78701"},
            {"street": "12 Main", "unit": "4", "city": "Austin", "state": "TX", "zip": "78701"},
        ),
        (
            {"address": {"line1": "12 Main", "city": "Austin", "postal_code": "78701"}},
            {"street": "12 Main", "city": "Austin", "zip": "78701"},
        ),
        ({"Dirección": "Calle Luna 5", "Ciudad": "San Juan"}, {"street": "Calle Luna 5", "city": "San Juan"}),
        ({"What happened?": "12 days ago the AC stopped"}, {}),
    ],
)
def test_addresses(data: Any, wanted: dict[str, str]) -> None:
    address = booked(data).person.address
    found = msgspec.to_builtins(address) if address else {}
    assert {part: value for part, value in found.items() if value and part != "raw"} == wanted


def test_the_people_and_firms_around_the_person_are_not_the_person() -> None:
    inquiry = booked(
        {
            "company": {"name": "Acme Air"}, "form": {"name": "Contact us"}, "agent": {"name": "Sam", "phone": "512-555-0199"},
            "assigned_to": {"email": "sam@example.com"}, "customer": {"name": "Dana Reyes", "phone": "512-555-0123"},
        }
    )  # fmt: skip
    assert (inquiry.person.name, inquiry.person.company) == ("Dana Reyes", "Acme Air")
    assert (inquiry.person.phones, inquiry.person.emails) == (("512-555-0123",), ())
    assert {answer.value for answer in inquiry.answers} == {"Sam", "512-555-0199", "sam@example.com"}


@pytest.mark.parametrize(
    ("data", "when", "start"),
    [
        (
            {"Preferred date": "02/03/2026", "Preferred time": "10:30 AM"},
            "02/03/2026 10:30 AM",
            datetime(2026, 2, 3, 15, 30, tzinfo=UTC),
        ),
        ({"Hora": "9:00", "Fecha": "2026-02-03"}, "2026-02-03 9:00", datetime(2026, 2, 3, 14, 0, tzinfo=UTC)),
        ({"Appointment": {"date": "2026-02-03 10:00"}}, "2026-02-03 10:00", datetime(2026, 2, 3, 15, 0, tzinfo=UTC)),
        (
            {"When?": {"month": "02", "day": "03", "year": "2026", "hour": "4", "min": "15", "ampm": "PM"}},
            "02/03/2026 4:15 PM",
            datetime(2026, 2, 3, 21, 15, tzinfo=UTC),
        ),
        ({"Best time": "Mornings"}, "Mornings", None),
    ],
)
def test_preferred_times(data: Any, when: str, start: datetime | None) -> None:
    inquiry = booked(data)
    assert (inquiry.preferred_time, inquiry.preferred_start) == (when, start)


def test_campaigns_are_found_in_fields_objects_and_page_addresses() -> None:
    found = booked(
        {
            "utm": {"source": "google", "medium": "cpc"}, "GCLID": "g1", "fbclid": "", "Page URL": "https://example.com/?wbraid=w1",
            "landing": "https://example.com/ac?msclkid=m1&utm_source=bing",
        }
    ).attribution  # fmt: skip
    assert (found.utm_source, found.utm_medium, found.gclid, found.wbraid, found.msclkid, found.fbclid) == (
        "google", "cpc", "g1", "w1", "m1", "",
    )  # fmt: skip


def test_consent_and_test_flags() -> None:
    assert booked({"I agree to receive text messages": "Yes"}).consent == "Yes"
    assert draft_from([Field("a", "¿Está bien?", "on", kind="acceptance")], options=SourceOptions()).values == {
        "consent": "on"
    }
    assert booked({"is_test": True}).is_test
    assert not booked({"is_test": False}).is_test


EXAMPLES = int(os.environ.get("EXTRACT_EXAMPLES", "200"))
LABELS = some.sampled_from(
    [
        *(label for label, slot in EXACT.items() if slot != "meta"),
        "What is broken",
        "Gate code",
        "Any comments about your AC",
        "¿Cuándo?",
    ]
)
WRITTEN = some.builds(
    lambda kind, number: kind.format(number, number % 10_000),
    some.sampled_from(
        ["word{0:06d}", "w{0:06d} and more", "u{0:06d}@example.com", "512-555-{1:04d}", "(512) 555-{1:04d} ask for w{0:06d}",
         "512-555-{1:04d}, w{0:06d}", "u{0:06d}@example.com (w{0:06d})", "{0} Elm St, Austin, TX 78701", "https://e.example.com/{0:06d}"]
    ),
    some.integers(0, 999_999),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(some.dictionaries(LABELS, WRITTEN | some.lists(WRITTEN, max_size=3), max_size=9))
def test_whatever_is_written_under_whatever_label_is_somewhere(form: dict[str, Any]) -> None:
    inquiry = msgspec.to_builtins(booked(form))
    inquiry.pop("origins", None)
    said = msgspec.json.encode(inquiry).decode()
    for written in form.values():
        for word in " ".join(written if isinstance(written, list) else [written]).split():
            assert word.strip("(),") in said or (word.startswith("512-555-") and word[-4:] in said), (
                word
            )  # one number, spelled twice


PART = some.sampled_from(
    sorted(
        {*PARTS, *WHOLE_PARTS, *DATE_PARTS, "area", "phone", "ext", "prefix", "middle", "mail", "gate"} - UNTOLD_PARTS
    )
)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(some.dictionaries(LABELS, some.dictionaries(PART, WRITTEN, min_size=1, max_size=5), min_size=1, max_size=3))
def test_whatever_is_written_in_a_part_of_an_answer_is_somewhere(form: dict[str, dict[str, str]]) -> None:
    inquiry = msgspec.to_builtins(booked(form))
    inquiry.pop("origins", None)
    said = msgspec.json.encode(inquiry).decode()
    for parts in form.values():
        for word in " ".join(parts.values()).split():
            assert word.strip("(),") in said, word


def test_nothing_that_was_written_is_lost() -> None:
    data = {
        "Name": "Dana",
        "How old is the unit": 12,
        "Pets?": ["dog", "cat"],
        "Signature": "data:image/png;base64,AAAA",
    }
    assert [(answer.label, answer.value) for answer in drafted(data).answers] == [
        ("How old is the unit", "12"), ("Pets?", "dog, cat"), ("Signature", "(image/png)"),
    ]  # fmt: skip


def test_folded_keys_are_taken_apart_unless_they_contradict() -> None:
    flat = {
        "person__name": "Dana",
        "person__phones__0": "1",
        "person__phones__1": "2",
        "a": 1,
        "a__b": 2,
        "__typename": "x",
    }
    assert unfolded(flat) == {
        "person": {"name": "Dana", "phones": ["1", "2"]}, "a": 1, "a__b": 2, "__typename": "x",
    }  # fmt: skip


def test_a_record_of_a_person_is_no_answer_in_parts_and_what_no_part_takes_is_kept() -> None:
    draft = drafted(
        {"lead": {"first": "Dana", "last": "Reyes", "address1": "1 Elm St", "cell": "512-555-0123", "mail": "dana@example.com", "gate": "44"}}
    )  # fmt: skip
    person = draft.person()
    assert (person.given_name, person.phones, person.emails, person.address.street) == (
        "Dana", ("512-555-0123",), ("dana@example.com",), "1 Elm St",
    )  # fmt: skip
    assert [answer.value for answer in draft.answers] == ["44"]
    parts = {"prefix": "Dr.", "first": "Dana", "middle": "J", "last": "Reyes", "full": "Dr. Dana J Reyes"}
    draft = drafted({"Name": parts, "Phone": {"area": "512", "phone": "555-0123"}})
    assert (draft.person().given_name, draft.phones) == ("Dana", ["(512) 555-0123"])
    assert [(answer.label, answer.value) for answer in draft.answers] == [("Name prefix", "Dr."), ("Name middle", "J")]
    twice = drafted({"Name": {"first": "Dana", "last": "Reyes"}, "Second owner": {"first": "Ed", "last": "Reyes"}})
    assert [(answer.label, answer.value) for answer in twice.answers] == [("Second owner first", "Ed")]


def test_a_remark_beside_a_number_or_address_is_kept_and_the_number_is_found() -> None:
    draft = drafted({"Phone": "512-555-0123 or 512-555-0188 after 5pm", "E-mail": "dana@example.com (please write)"})
    assert (draft.phones, draft.emails) == (["512-555-0123", "512-555-0188"], ["dana@example.com"])
    assert [answer.value for answer in draft.answers] == [
        "512-555-0123 or 512-555-0188 after 5pm", "dana@example.com (please write)",
    ]  # fmt: skip


def test_a_label_that_may_mean_the_person_takes_only_what_no_surer_one_has() -> None:
    draft = drafted({"Contact": "By text", "Customer": "Yes", "Name": "Dana Reyes"})
    assert draft.person().name == "Dana Reyes"
    assert [answer.value for answer in draft.answers] == ["By text", "Yes"]
    assert drafted({"Customer": "Dana Reyes"}).person().name == "Dana Reyes"


@pytest.mark.parametrize(
    ("data", "is_test", "answers"),
    [({"test": True}, True, 0), ({"Prueba": "no"}, False, 0), ({"Test": "water and radon"}, False, 1)],
)
def test_a_flag_is_yes_or_no_and_anything_else_was_an_answer(data: Any, is_test: bool, answers: int) -> None:
    draft = drafted(data)
    assert (draft.is_test, len(draft.answers)) == (is_test, answers)


def test_every_value_names_the_place_it_came_from() -> None:
    inquiry = booked(
        {
            "Nombre": "Ana", "Apellido": "López", "Fecha": "2026-02-03", "Hora": "9:00", "Mascotas": "perro", "test": "yes",
            "Correo": "ana@example.com", "Página": "x", "landing": "https://example.com/?gclid=g1", "Servicio": "AC",
        }
    )  # fmt: skip
    assert inquiry.origins == {
        "person.given_name": "Nombre", "person.surname": "Apellido", "preferred_time": "Fecha, Hora", "preferred_start": "Fecha, Hora",
        "answers.0": "Mascotas", "answers.1": "Página", "is_test": "test", "person.emails.0": "Correo", "service": "Servicio",
        "attribution.landing_page": "landing", "attribution.gclid": "landing?gclid",
    }  # fmt: skip


def test_a_credential_is_no_answer() -> None:
    assert drafted({"token": "hush", "API key": "hush", "Gate code": "***", "message": "hi"}).answers == []


def test_answers_beyond_what_anybody_reads_are_counted() -> None:
    answers = booked({f"Is it so, {place}": "yes, of course" for place in range(230)}).answers
    assert (len(answers), answers[-1].value) == (201, "30 stand in the delivery")


@pytest.mark.parametrize(
    "data", [{"What broke?": "the heat pump"}, {"Service": "AC"}, {"ZIP": "78701"}, {"I agree": "yes"}, {"When?": "tomorrow"}]
)  # fmt: skip
def test_a_form_that_names_nobody_and_says_something_is_an_inquiry(data: Any) -> None:
    assert wish(drafted(data), "form", key="k").inquiries


def test_a_form_without_a_word_is_none() -> None:
    found = wish(drafted({"id": "7", "gclid": "g1", "name": " ", "user_agent": "x"}), "form", key="k")
    assert [part.reason for part in found.skipped] == [Reason.PERSON_MISSING]


def test_a_mapped_time_without_a_zone_is_the_tenants() -> None:
    options = SourceOptions(map={"preferred_start": "payload.when | date"}, time_zone="America/Chicago")
    data = {"when": "12/01/2026 3:30 PM"}
    draft = draft_from(
        fields_of(data), options=options, context={"payload": data, "query": {}, "event": "", "fetched": {}}
    )
    assert draft.booking(key="k").preferred_start == datetime(2026, 12, 1, 21, 30, tzinfo=UTC)
