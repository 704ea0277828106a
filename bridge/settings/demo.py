"""What runs where nobody configured anything: one tenant in the simulator and three senders. Its secrets open nothing else."""

DEMO = """\
tenants:
  demo:
    tenant_id: 1000001
    environment: simulator
    booking_provider: 501
    time_zone: America/Chicago
    defaults:
      campaign: Website
      business_unit: HVAC Service
    campaigns:
      google: Google Ads
      spring-tune-up: Spring Mailer

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
"""
