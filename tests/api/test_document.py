"""schemathesis asks the API everything its document allows: no 5xx, no answer that the document does not name."""

import pytest

schemathesis = pytest.importorskip("schemathesis")


async def test_the_document_names_every_answer(browser) -> None:
    """A short seeded run of the gate: every operation, a handful of generated requests each."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    document = (await browser.client.get("/api/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    schema = schemathesis.openapi.from_dict(document)
    asked = 0
    cases = []
    for found in schema.get_all_operations():
        operation = found.ok()

        @seed(7)
        @settings(
            max_examples=6,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def collect(case) -> None:
            cases.append(case)

        collect()
    for case in cases:
        path = case.formatted_path
        headers = {
            str(name): str(value)
            for name, value in (case.headers or {}).items()
            if str(value).isascii() and str(value).isprintable()
        }
        body = case.body if isinstance(case.body, dict | list | str | int | float | bool) or case.body is None else None
        answer = await browser.client.request(
            case.method,
            path,
            params={k: v for k, v in (case.query or {}).items()},
            json=body if case.method.upper() == "POST" else None,
            headers={**headers, "authorization": f"Bearer {browser.tokens['admin']}"},
        )
        asked += 1
        known = document["paths"][case.operation.path][case.method.lower()]["responses"]
        assert answer.status_code < 500, (case.method, path, answer.text)
        assert str(answer.status_code) in known, (case.method, path, answer.status_code, answer.text[:200])
    assert asked > 100
