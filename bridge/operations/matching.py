"""What an operator may do about recognising customers: draw matches for review, judge them, certify, choose weights."""

import msgspec

from bridge.db.database import Database
from bridge.domain.ids import SourceId, TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.match import MatchSettings
from bridge.matching import certifying, links, training, weights_store
from bridge.matching.certifying import MOST_WRONG, Certificate
from bridge.matching.training import Training
from bridge.operations import audit
from bridge.operations.audit import Act, Done


async def draw(database: Database, act: Act, *, tenant_id: TenantId, count: int) -> Done:
    """Draw matches of the weights in force at random, for people to judge."""
    async with database.begin() as tx:
        version = (await weights_store.in_force(tx, tenant_id)).version
        drawn = await certifying.draw(tx, tenant_id, count, weights_version=version, now=act.now)
        await audit.write(
            tx, act, "match_samples.drawn", f"weights:{version}", tenant_id=tenant_id, detail={"count": drawn}
        )
    more = "" if drawn == count else "; there are no more matches to draw from"
    return Done(text=f"{drawn} matches drawn for review{more}.", count=drawn)


async def judge(
    database: Database, act: Act, *, tenant_id: TenantId, sample_id: int, is_right: bool, region: str = "US"
) -> Done:
    """Say whether a drawn match is right; a wrong one is never made again and takes a certificate back that it breaks."""
    async with database.begin() as tx:
        known = await (
            await tx.execute(
                "SELECT s.customer_id, d.inquiry::text, v.source_id FROM match_samples s"
                " LEFT JOIN decisions d ON d.tenant_id = s.tenant_id AND d.id = s.decision_id"
                " LEFT JOIN deliveries v ON v.tenant_id = d.tenant_id AND v.id = d.delivery_id"
                " WHERE s.tenant_id = %s AND s.id = %s",
                [tenant_id, sample_id],
            )
        ).fetchone()
        if known is None:
            return Done(text=f"There is no sample {sample_id}.", refusal="unknown")
        await certifying.judge(tx, tenant_id, sample_id, is_right=is_right, by=act.by, now=act.now)
        if not is_right and known[1] is not None and known[2] is not None:
            inquiry = msgspec.json.decode(known[1], type=Inquiry)
            await links.never(
                tx, tenant_id, SourceId(known[2]), inquiry,
                customer_id=known[0], decided_by=act.by, now=act.now, region=region,
            )  # fmt: skip
        word = "right" if is_right else "wrong"
        await audit.write(tx, act, f"match_sample.judged_{word}", f"sample:{sample_id}", tenant_id=tenant_id)
        text = f"Sample {sample_id} is {word}."
        version = (await weights_store.in_force(tx, tenant_id)).version
        if await certifying.is_certified(tx, tenant_id, weights_version=version):
            now_shown = await certifying.appraise(tx, tenant_id, weights_version=version)
            if not now_shown.is_certified:
                await certifying.record(tx, tenant_id, now_shown, notes=["taken back"], now=act.now)
                await audit.write(tx, act, "match_certificate.taken_back", f"weights:{version}", tenant_id=tenant_id)
                text += " The certificate is taken back: writes need the stricter threshold again."
    return Done(text=text, count=1, id=sample_id)


async def certify(database: Database, act: Act, *, tenant_id: TenantId, most_wrong: float = MOST_WRONG) -> Certificate:
    """Return what the judged samples show, and keep it; a certificate lowers the threshold for writes."""
    async with database.begin() as tx:
        version = (await weights_store.in_force(tx, tenant_id)).version
        certificate = await certifying.appraise(tx, tenant_id, weights_version=version, most_wrong=most_wrong)
        await certifying.record(tx, tenant_id, certificate, now=act.now)
        await audit.write(
            tx, act, "match_certificate.issued" if certificate.is_certified else "match_certificate.refused",
            f"weights:{version}", tenant_id=tenant_id, detail={"reviewed": certificate.reviewed, "wrong": certificate.wrong},
        )  # fmt: skip
    return certificate


async def use_weights(database: Database, act: Act, *, tenant_id: TenantId, version: str) -> Done:
    """Put a stored fit in force; what was certified under other weights is not under these."""
    async with database.begin() as tx:
        if not await weights_store.use(tx, tenant_id, version):
            return Done(text=f"No weights {version} are stored; `bridge match train` makes some.", refusal="unknown")
        await audit.write(tx, act, "match_weights.used", f"weights:{version}", tenant_id=tenant_id)
    return Done(text=f"Weights {version} are in force within a minute.", count=1)


async def train(database: Database, act: Act, *, tenant_id: TenantId, settings: MatchSettings) -> Training | Done:
    """Fit weights to the tenant's mirror and recent inquiries, and store them without using them."""
    async with database.begin() as tx:
        before = await weights_store.in_force(tx, tenant_id)
        found = await training.train(tx, tenant_id, before, settings, now=act.now)
        if found is None:
            return Done(
                text="The mirror holds no customers yet: nothing to learn from. The weights in force stay.",
                refusal="unknown",
            )
        weights, told = found
        await weights_store.keep(tx, tenant_id, weights, now=act.now)
        await audit.write(tx, act, "match_weights.trained", f"weights:{weights.version}", tenant_id=tenant_id)
    return told
