"""What waits for a person: a yes happens once, a no is remembered for the record and the person, and a rule that breaks fails alone."""

from bridge.db.database import Database
from bridge.domain.command import CreateBooking, kind_of
from bridge.operations import review
from tests.planning.house import ACT, CONFIG, TENANT, House, settings_of

HOLD = "rules:\n  - name: wait\n    when: inquiry.kind == 'booking_inquiry'\n    do: [{hold: is it real?}]\n"
LEAD = {"name": "Dana Cruz", "phone": "(512) 555-0142", "message": "The AC is out."}


async def test_a_released_booking_is_the_booking_that_would_have_been(database: Database) -> None:
    house = await House(database, settings_of(HOLD)).open()
    delivery = await house.arrive("web", LEAD)
    await house.decide()
    assert await house.state(delivery) == ("held", "held_by_rule")
    assert not await house.effects()
    ((hold, _),) = await house.open_holds()
    assert (await review.accept(database, ACT, tenant_id=TENANT, hold_id=hold, region="US")).is_done
    await house.decide()
    assert await house.state(delivery) == ("processed", "processed")
    (key,) = await house.effects()
    house.use(settings_of())  # without the rule the same booking is wanted, and it is there
    await house.again(delivery)
    assert await house.effects() == [key]
    other = await house.arrive("web", LEAD)
    await house.decide()
    assert await house.state(other) == ("processed", "duplicate_ask")


async def test_a_release_can_be_taken_back_before_it_is_carried_out(database: Database) -> None:
    house = await House(database, settings_of(HOLD)).open()
    await house.arrive("web", LEAD)
    await house.decide()
    ((hold, _),) = await house.open_holds()
    await review.accept(database, ACT, tenant_id=TENANT, hold_id=hold, region="US")
    assert (await review.undo(database, ACT, tenant_id=TENANT, hold_id=hold)).is_done
    assert await house.open_holds() == [(hold, "held_by_rule")]
    await house.decide()
    assert not await house.effects()


async def test_a_dismissed_booking_stays_dismissed_and_the_next_lead_is_asked_about(database: Database) -> None:
    house = await House(database, settings_of(HOLD)).open()
    delivery = await house.arrive("web", LEAD)
    await house.decide()
    ((hold, _),) = await house.open_holds()
    await review.dismiss(database, ACT, tenant_id=TENANT, hold_id=hold)
    await house.again(delivery)
    assert await house.state(delivery) == ("ignored", "dismissed")
    await house.arrive("web", {**LEAD, "message": "The heating is out too."})
    await house.decide()
    assert [reason for _, reason in await house.open_holds()] == ["held_by_rule"]


async def test_a_no_about_a_customers_record_is_remembered_for_record_and_person(database: Database) -> None:
    house = await House(database, settings_of()).open()
    await house.mirror(100, "Dana Cruz", phone="5125550142")
    await house.mirror(101, "Dana Cruz", phone="5125550142")
    update = {"id": "r1", "name": "Dana Cruz", "phone": "(512) 555-0142", "plan": "gold"}
    await house.arrive("crm", update)
    await house.decide()
    ((hold, reason),) = await house.open_holds()
    assert reason == "match_ambiguous"
    await review.dismiss(database, ACT, tenant_id=TENANT, hold_id=hold)
    same_record = await house.arrive("crm", {**update, "plan": "silver"})
    same_person = await house.arrive("crm", {**update, "id": "r2"})
    await house.decide()
    assert await house.state(same_record) == ("ignored", "dismissed")
    assert await house.state(same_person) == ("ignored", "dismissed")
    somebody = await house.arrive("crm", {**update, "id": "r3", "name": "Maria Lopez"})
    await house.decide()
    assert (await house.state(somebody))[1] != "dismissed"
    await review.undo(database, ACT, tenant_id=TENANT, hold_id=hold)
    await house.arrive("crm", {**update, "plan": "bronze"})
    await house.decide()
    assert "match_ambiguous" in [reason for _, reason in await house.open_holds()]


async def test_a_yes_about_a_customers_record_is_remembered(database: Database) -> None:
    house = await House(database, settings_of()).open()
    await house.mirror(100, "Dana Cruz", phone="5125550142")
    await house.mirror(101, "Dana Cruz", phone="5125550142")
    update = {"id": "r1", "name": "Dana Cruz", "phone": "(512) 555-0142", "email": "dana@example.com"}
    await house.arrive("crm", update)
    await house.decide()
    ((hold, _),) = await house.open_holds()
    refused = await review.accept(database, ACT, tenant_id=TENANT, hold_id=hold, region="US")
    assert refused.refusal == "choice_missing"
    await review.accept(database, ACT, tenant_id=TENANT, hold_id=hold, customer_id=101, region="US")
    await house.decide()
    later = await house.arrive("crm", {**update, "email": "other@example.com"})
    await house.decide()
    (plan,) = await house.plans(later)
    assert [getattr(effect.command, "target", None) for effect in plan.effects] == [101]
    assert not await house.open_holds()


async def test_a_rule_that_breaks_fails_its_inquiry_alone_and_names_its_place(database: Database) -> None:
    rules = "rules:\n  - name: bomb\n    when: \"inquiry.message == 'boom' and range(100000) | list\"\n    do: [{ignore: x}]\n"
    house = await House(database, settings_of(rules)).open()
    both = await house.arrive(
        "web", [{**LEAD, "message": "boom"}, {"name": "Bo", "phone": "5125550111", "message": "fine"}]
    )
    beside = await house.arrive("web", {"name": "Maria", "phone": "5125550199", "message": "fine"})
    await house.decide()
    assert await house.state(both) == ("failed", "rule_failed")
    ((sentence,),) = await house.rows("SELECT sentence FROM delivery_states WHERE delivery_id = %s", both)
    assert 'rule "bomb" at c.yaml:16: did not come to an end' in sentence
    broken, fine = await house.plans(both)
    assert (broken.effects, broken.trials[0].at) == ((), "c.yaml:16")
    assert [kind_of(effect.command) for effect in fine.effects] == ["create_booking"]
    assert await house.state(beside) == ("processed", "processed")


async def test_a_form_that_names_nobody_waits_for_a_person_with_all_that_was_written(database: Database) -> None:
    house = await House(database, settings_of()).open()
    delivery = await house.arrive("web", {"What is broken?": "the heat pump", "Gate code": "4411"})
    await house.decide()
    assert await house.state(delivery) == ("held", "booking_incomplete")
    assert not await house.effects()
    (plan,) = await house.plans(delivery)
    (command,) = plan.holds[0].commands
    assert isinstance(command, CreateBooking)
    assert command.summary == "What is broken?: the heat pump\nGate code: 4411"
    assert plan.holds[0].effects[0].origins["name"] == "the person"
    assert [reason for _, reason in await house.open_holds()] == ["booking_incomplete"]
    empty = await house.arrive("web", {"id": "7", "name": ""})
    await house.decide()
    assert (await house.state(empty))[1] == "person_missing"


async def test_an_effect_says_where_in_the_payload_its_values_stood(database: Database) -> None:
    house = await House(database, settings_of()).open()
    lead = {
        "first": "Dana",
        "last": "Cruz",
        "cell": "(512) 555-0142",
        "mail": "dana@example.com",
        "street": "1 Elm St",
        "city": "Austin",
    }
    delivery = await house.arrive("web", {"lead": {**lead, "zip": "78701", "state": "TX"}})
    await house.decide()
    (plan,) = await house.plans(delivery)
    origins = plan.effects[0].origins
    assert origins["name"] == "lead.first, lead.last"
    assert origins["contacts"] == "lead.cell, lead.mail"
    assert origins["address"] == "lead.street, lead.city, lead.zip, lead.state"


async def test_a_mapping_that_does_not_end_fails_its_inquiry_alone_and_names_its_place(database: Database) -> None:
    loop = "{% for a in payload.parts %}{% for b in payload.parts %}{% for c in payload.parts %}x{% endfor %}{% endfor %}{% endfor %}"
    config = CONFIG.replace(
        "web: {connector: generic, tenant: acme, unsigned: true}",
        f"web:\n    connector: generic\n    tenant: acme\n    unsigned: true\n    map:\n      message: '{loop}'",
    )
    house = await House(database, settings_of(config=config)).open()
    both = await house.arrive("web", [{**LEAD, "parts": list(range(200))}, {**LEAD, "name": "Bo", "parts": [1, 2]}])
    await house.decide()
    assert await house.state(both) == ("failed", "map_stopped")
    ((sentence,),) = await house.rows("SELECT sentence FROM delivery_states WHERE delivery_id = %s", both)
    assert "The mapping of message (c.yaml:13) did not come to an end." in sentence
    stopped, fine = await house.plans(both)
    assert (stopped.effects, stopped.reason, stopped.trials[0].at) == ((), "map_stopped", "c.yaml:13")
    assert [kind_of(effect.command) for effect in fine.effects] == ["create_booking"]


async def test_a_person_of_another_country_is_found_by_a_number_as_it_is_written_there(database: Database) -> None:
    config = CONFIG.replace("environment: simulator", "environment: simulator\n    phone_region: AU")
    house = await House(database, settings_of(config=config)).open()
    await house.arrive("web", {**LEAD, "phone": "0412 345 678"})
    await house.decide()
    assert await house.rows("SELECT phones, phone_ends FROM delivery_states") == [(["+61412345678"], ["5678"])]
