"""What a role holds in memory: unlike time it is the same on a busy machine, so the gate can keep it."""

import re
from pathlib import Path

import httpx
import pytest

from tests.entrypoints.roles import LEAD, Roles

pytestmark = pytest.mark.slow

MOST = 100_000_000 // 1024  # KiB
CONFIG = """\
tenants:
  acme: {tenant_id: 1000001, environment: simulator}
sources:
  web: {connector: generic, tenant: acme, unsigned: true}
"""


def held(pid: int) -> int:
    """Return the most that a process ever held at a time, in KiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def test_a_server_and_a_worker_hold_less_than_100_mb(roles: Roles) -> None:
    roles.write(CONFIG)
    roles.start("simulator", "--port", str(roles.ports[1]))
    roles.start("serve")
    roles.start("work")
    roles.until("ready", lambda: httpx.get(f"http://127.0.0.1:{roles.ports[0]}/readyz").status_code == 200)
    with httpx.Client(base_url=f"http://127.0.0.1:{roles.ports[0]}", timeout=30) as client:
        for number in range(200):
            lead = LEAD | {"name": f"Dana Cruz{number}", "phone": f"(512) 555-{number:04d}"}
            assert client.post("/hooks/web", json=lead).status_code == 202
    left = "SELECT (SELECT count(*) FROM delivery_queue) + (SELECT count(*) FROM outbox), (SELECT count(*) FROM effects) > 0"
    roles.until("sent", lambda: roles.rows(left) == [(0, True)])
    found = {role: held(roles.processes[role].pid) for role in ("serve", "work")}
    assert max(found.values()) <= MOST, f"{found} KiB; `python -X importtime` tells who imports what"
