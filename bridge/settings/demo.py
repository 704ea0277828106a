"""What runs where nobody configured anything: one tenant in the simulator and five senders. Its secrets open nothing else."""

import base64
import hashlib
from collections.abc import Mapping

SIMULATOR = "http://127.0.0.1:8377"

DEMO = """\
# The config that runs where no other is found: one contractor on the simulator, five senders.

tenants:
  demo:
    tenant_id: 1000001
    environment: simulator
    booking_provider: 501
    time_zone: America/Chicago
    defaults:
      campaign: Website
      business_unit: HVAC Service
      dismiss_reason: Cancelled by Customer
    campaigns:
      google: Google Ads
      spring-tune-up: Spring Mailer
    services:
      ac repair: AC Repair
      air conditioning: AC Repair
      furnace: Heating Repair
      drain: Drain Cleaning

sources:
  website:
    title: Website form
    connector: standard-webhooks
    tenant: demo
    secrets: [{env: DEMO_WEBSITE_STANDARD, name: current}]
  typeform:
    title: Estimate form
    connector: typeform
    tenant: demo
    secrets: [{env: DEMO_TYPEFORM, name: current}]
  callrail:
    title: Tracked calls
    connector: callrail
    tenant: demo
    secrets: [{env: DEMO_CALLRAIL, name: current}]
  crm:
    title: Office CRM
    connector: standard-webhooks
    tenant: demo
    secrets: [{env: DEMO_CRM_STANDARD, name: current}]
    options: {ask: contact}
    updates:
      fields:
        language: {custom_field: Preferred Language}
        crm_id: {custom_field: CRM Id}
      tags:
        vip: VIP
  facebook: # its webhooks name a lead and no more: the rest is fetched, here from the simulator's stand-in for Meta's Graph
    title: Facebook lead ads
    connector: meta-lead-ads
    tenant: demo
    secrets: [{env: DEMO_META, name: current}]
    hydrate: {token: {env: DEMO_META_TOKEN}}
    options: {fetch_url: "http://127.0.0.1:8377/_senders/graph"}

rules:
  - name: Emergencies first
    when: inquiry.kind == "booking_inquiry" and "emergency" in inquiry.message | lower
    do:
      - create_booking: {priority: Urgent}
"""


def demo_config(environ: Mapping[str, str]) -> str:
    """Return the demo's config, its stand-ins where the simulator listens."""
    return DEMO.replace(SIMULATOR, environ.get("BRIDGE_SIMULATOR_URL", SIMULATOR).rstrip("/"))


def demo_secret(name: str) -> str:
    """Return a secret of the demo: the same at each start, opens nothing but the demo."""
    if name.endswith("_TOKEN"):
        return "demo-token"  # what the stand-ins of the simulator ask for
    digest = hashlib.sha256(f"bridge demo {name}".encode())
    if name.endswith("STANDARD"):
        return "whsec_" + base64.b64encode(digest.digest()).decode()
    return digest.hexdigest()[:32]
