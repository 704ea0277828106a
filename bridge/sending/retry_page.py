"""The page on retries, printed from the policies themselves, so that it cannot say anything else."""

from datetime import timedelta

from bridge.sending.retry import FAR_SIDE_TIMEOUT, PAUSE_AFTER_BACKPRESSURE, POLICIES, READ_LAG, Policy, backoff

_HEAD = f"""# When a message is sent again

This page is printed from `bridge/sending/retry.py` and tested against it.

| what came back | what follows | spends an attempt |
| --- | --- | --- |
| success | done; the message leaves the outbox | - |
| refused for good (4xx) | dead, with the field-level reason; a person may retry it | - |
| not found | again until the tries cover {READ_LAG.total_seconds():g} s, since reads trail writes; then dead | yes |
| custom field changed on both sides | held for a person | - |
| 429, maintenance | again after the whole Retry-After ({PAUSE_AFTER_BACKPRESSURE:g} s where none is named), plus up to 10 % | no |
| credentials refused | the tenant rests, one probe at a time | no |
| nothing was done (no connection, no token) | again after the wait of its kind, plus up to 20 % | yes |
| no answer, or one that cannot be read | in doubt: looked up after 2 s, 6 s, 18 s, 54 s, then each minute | on resend |

In doubt, *found* settles it. *Absent* counts only {(FAR_SIDE_TIMEOUT + READ_LAG).total_seconds():g} s after the send:
ServiceTitan works on a request for up to {FAR_SIDE_TIMEOUT.total_seconds():g} s, and its reads trail its writes by up to
{READ_LAG.total_seconds():g} s. No receiver of an alert can be asked: a signed one is sent again after the wait of its kind under the same id,
one in Slack's style a single time. A message dies when both bounds of its kind are passed: the attempts and the time.

| kind | waits (s) | attempts and time | in doubt, its lane | requests at most |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """Return the page."""
    return _HEAD + "".join(_row(kind, policy) for kind, policy in POLICIES.items())


def _row(kind: str, policy: Policy) -> str:
    waits = ", ".join(f"{backoff(policy, spent):g}" for spent in range(8))
    lane = "waits" if policy.holds_lane else "goes on"
    return f"| {kind} | {waits}, … | {policy.attempts} and {_hours(policy.window)} | {lane} | {policy.requests} |\n"


def _hours(window: timedelta) -> str:
    return f"{window.total_seconds() / 3600:g} h"
