"""A person can be found, exported and erased; what is left names nobody and still makes nothing twice."""

from bridge.operations import privacy
from bridge.operations.audit import Act
from tests.console.seeding import NOW, PEOPLE, TENANT, deliver

ACT = Act("cli:test", NOW, "she asked for it")


async def test_erased_means_erased_everywhere(database) -> None:
    gone = await deliver(database, 0, "booked", at=NOW)
    other = await deliver(database, 1, "booked", at=NOW)
    subject = privacy.subject_of(phone="512 555 0142")
    exported = await privacy.export(database, ACT, tenant_id=TENANT, subject=subject)
    assert [one["delivery"] for one in exported] == [gone]
    assert PEOPLE[0][2] in exported[0]["body"]
    done = await privacy.erase(database, ACT, tenant_id=TENANT, subject=subject)
    assert done.is_done
    name, phone, email, street, _ = PEOPLE[0]
    async with database.begin() as tx:
        tables = await (await tx.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).fetchall()
        for (table,) in tables:
            for (row,) in await (await tx.execute(f"SELECT t::text FROM {table} t")).fetchall():
                text = row + (
                    bytes.fromhex(row.split("\\\\x")[1].split('"')[0]).decode("latin-1") if "\\\\x7b" in row else ""
                )
                for value in (name, name.lower(), phone, email, street, "+15125550142"):
                    assert value not in text, (table, value)
        keys = await (await tx.execute("SELECT count(*) FROM effect_keys")).fetchone()
    assert keys == (2,)
    assert [
        one.delivery_id
        for one in await privacy.find(database, ACT, tenant_id=TENANT, subject=privacy.subject_of(email=PEOPLE[1][2]))
    ] == [other]


async def test_nobody_is_erased_while_messages_about_them_wait(database) -> None:
    await deliver(database, 3, "working", at=NOW)
    done = await privacy.erase(database, ACT, tenant_id=TENANT, subject=privacy.subject_of(email=PEOPLE[3][2]))
    assert done.refusal == "waiting_already"


async def test_an_erasure_wants_a_reason(database) -> None:
    done = await privacy.erase(
        database, Act("cli:test", NOW), tenant_id=TENANT, subject=privacy.subject_of(email=PEOPLE[3][2])
    )
    assert done.refusal == "reason_missing"
