"""A config that was refused is said on every page until it is mended."""

from pathlib import Path

from litestar.testing import AsyncTestClient

from bridge.entrypoints.reloading import Reloader
from tests.console.conftest import Browser
from tests.console.seeding import app_for, context_for

GOOD = """tenants: {acme: {tenant_id: 7, environment: simulator}}
sources: {web: {connector: generic, tenant: acme, unsigned: true}}
"""


async def test_a_refused_config_is_said_until_it_is_mended(browser: Browser, tmp_path: Path) -> None:
    context = context_for(browser.database)
    file = tmp_path / "bridge.yaml"
    file.write_text(GOOD)

    async def use(_settings: object) -> None: ...

    reloader = Reloader(context.settings, use=use, environ={"BRIDGE_CONFIG": str(file)})
    context.config_faults = lambda: reloader.faults
    async with AsyncTestClient(app_for(context)) as client:
        visitor = Browser(client, browser.made, browser.tokens, browser.database)
        await visitor.log_in("viewer")
        assert "was refused" not in (await client.get("/")).text
        file.write_text(GOOD.replace("unsigned", "unsignd"))
        assert not await reloader.reload()
        for page in ("/", "/health"):
            shown = (await client.get(page)).text
            assert "The changed config was refused" in shown
            assert "sources.web.unsignd: unknown key" in shown
        file.write_text(GOOD)
        assert await reloader.reload()
        assert "was refused" not in (await client.get("/")).text
