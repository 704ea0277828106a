"""The registry: every kind of source a config can name, and the class that speaks its dialect.

The modules are imported when a kind is first asked for, so that listing the kinds costs nothing at start.
"""

from functools import cache
from importlib import import_module

from bridge.connectors.base import Connector

REGISTRY: dict[str, str] = {
    "activecampaign": "activecampaign:ActiveCampaign",
    "angi": "angi:Angi",
    "cal-com": "cal_com:CalCom",
    "calendly": "calendly:Calendly",
    "callrail": "callrail:CallRail",
    "calltrackingmetrics": "calltrackingmetrics:CallTrackingMetrics",
    "cloudevents": "cloudevents:CloudEvents",
    "cognito-forms": "cognito:Cognito",
    "elementor": "elementor:Elementor",
    "fillout": "fillout:Fillout",
    "formstack": "formstack:Formstack",
    "generic": "generic:Generic",
    "github-style": "generic:GitHubStyle",
    "gohighlevel": "highlevel:HighLevel",
    "google-ads-lead-form": "google_ads:GoogleAdsLeadForm",
    "google-forms-apps-script": "google_forms:GoogleForms",
    "gravity-forms": "gravity:GravityForms",
    "housecall-pro": "housecall:HousecallPro",
    "hubspot": "hubspot:HubSpot",
    "jobber": "jobber:Jobber",
    "jotform": "jotform:Jotform",
    "keap": "keap:Keap",
    "klaviyo": "klaviyo:Klaviyo",
    "mailchimp": "mailchimp:Mailchimp",
    "meta-lead-ads": "meta:MetaLeadAds",
    "pipedrive": "pipedrive:Pipedrive",
    "podium": "podium:Podium",
    "rfc9421": "rfc9421:Rfc9421",
    "salesforce": "salesforce:Salesforce",
    "servicetitan": "servicetitan_events:ServiceTitanEvents",
    "standard-webhooks": "generic:StandardWebhooks",
    "stripe-style": "generic:StripeStyle",
    "svix": "generic:Svix",
    "tally": "tally:Tally",
    "thumbtack": "thumbtack:Thumbtack",
    "tiktok-lead-gen": "tiktok:TikTokLeadGen",
    "twilio": "twilio:Twilio",
    "typeform": "typeform:Typeform",
    "unbounce": "unbounce:Unbounce",
    "webflow": "webflow:Webflow",
    "whatconverts": "whatconverts:WhatConverts",
    "wpforms": "wpforms:WPForms",
    "yelp-leads": "yelp:YelpLeads",
    "zapier-make-generic": "generic:ZapierMake",
    "zoho-crm": "zoho:ZohoCrm",
}
"""Kind → module:class. A new connector is one line here."""

ALIASES: dict[str, str] = {
    "generic-basic-auth": "generic",
    "generic-hmac": "generic",
    "generic-token": "generic",
    "google-forms": "google-forms-apps-script",
    "highlevel": "gohighlevel",
    "make": "zapier-make-generic",
    "zapier": "zapier-make-generic",
}
"""Other names under which people know a kind."""


def kinds() -> tuple[str, ...]:
    """Return all kinds in alphabetical order, without importing any."""
    return tuple(sorted(REGISTRY))


def is_known(kind: str) -> bool:
    """Tell whether a config may name this kind."""
    return kind in REGISTRY or kind in ALIASES


@cache
def get_connector(kind: str) -> Connector:
    """Return the one connector of a kind or alias; raise KeyError for a kind nobody knows."""
    module, _, name = REGISTRY[ALIASES.get(kind, kind)].partition(":")
    found: type[Connector] = getattr(import_module(f"bridge.connectors.{module}"), name)
    return found()
