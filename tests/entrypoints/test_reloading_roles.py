"""The real processes take a changed config up, refuse a bad one, and a decision names the version that made it."""

import signal

import httpx
import pytest

from tests.entrypoints.roles import Roles

pytestmark = pytest.mark.slow

GOOD = """\
tenants:
  acme: {tenant_id: 1000001, environment: simulator}
sources:
  web: {connector: generic, tenant: acme, unsigned: true}
"""
BAD = GOOD.replace("tenant: acme", "tenant: acm")
BETTER = """\
tenants:
  acme: {tenant_id: 1000001, environment: simulator}
  beta: {tenant_id: 1000002, environment: simulator}
sources:
  web: {connector: generic, tenant: acme, unsigned: true}
  beta-web: {connector: generic, tenant: beta, unsigned: true}
rules:
  - name: Ask first
    do: [{hold: is it real?}]
"""


def test_every_role_takes_up_a_changed_config_and_refuses_a_bad_one(roles: Roles) -> None:
    first = roles.write(GOOD)
    roles.start("simulator", "--port", str(roles.ports[1]), "--tenant", "1000002:cid.1000002:cs1.1000002:ak1.demo:501")
    for role in ("serve", "work", "sync"):
        roles.start(role)
    roles.until("ready", lambda: httpx.get(f"http://127.0.0.1:{roles.ports[0]}/readyz").status_code == 200)
    roles.until("mirrored", lambda: roles.rows("SELECT 1 FROM mirrored_lists WHERE tenant_id = 1000001 LIMIT 1"))
    assert roles.post("web") == 202
    decided = "SELECT config_version, coalesce(plan ->> 'reason', 'processed') FROM decisions ORDER BY id"
    roles.until("decided", lambda: roles.rows(decided) == [(first, "processed")])

    roles.write(BAD)  # seen without being told of
    for role in ("serve", "work", "sync"):
        roles.until(f"{role} refuses", lambda role=role: roles.logged(role, "config.refused"))
        (refused,) = roles.logged(role, "config.refused")
        assert refused["kept"] == first
        assert 'did you mean "acme"?' in refused["faults"][0]
    assert roles.post("web") in (200, 202)  # by the old one

    second = roles.write(BETTER)
    for role in ("serve", "work", "sync"):
        roles.processes[role].send_signal(signal.SIGHUP)
    for role in ("serve", "work", "sync"):
        roles.until(f"{role} reloads", lambda role=role: roles.logged(role, "config.reloaded"))
    roles.until("beta mirrored", lambda: roles.rows("SELECT 1 FROM mirrored_lists WHERE tenant_id = 1000002 LIMIT 1"))
    assert roles.post("beta-web") == 202
    roles.until("held", lambda: roles.rows(decided)[-1] == (second, "held_by_rule"))
    texts = dict(roles.rows("SELECT version, text FROM config_versions"))
    assert set(texts) == {first, second}
    assert "Ask first" in texts[second]

    for role in ("serve", "work", "sync"):
        roles.processes[role].terminate()
        assert roles.processes[role].wait(timeout=20) == 0
        del roles.processes[role]
