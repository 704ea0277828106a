"""schemathesis asks the API everything its document allows, and what it forbids: no 5xx, no answer that the document does not name.

The gate asks a little of every operation; `BRIDGE_API_EXAMPLES=200 BRIDGE_API_SEED=1 pytest tests/api/test_document.py` asks for as long and for what else you like.
"""

import os
from typing import Any

import pytest

schemathesis = pytest.importorskip("schemathesis")
EXAMPLES = int(os.environ.get("BRIDGE_API_EXAMPLES", "3"))
SEED = int(os.environ.get("BRIDGE_API_SEED", "7"))
TOKENS = ("admin", "admin", "admin", "read", "write", "", "none of ours")


def cases_of(operation: Any) -> list[Any]:
    """Return generated requests of an operation, right ones and wrong ones, the same in every run."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis.errors import Unsatisfiable
    from schemathesis import GenerationMode

    cases: list[Any] = []
    for mode, most in ((GenerationMode.POSITIVE, EXAMPLES), (GenerationMode.NEGATIVE, max(EXAMPLES // 2, 1))):
        try:

            @seed(SEED)
            @settings(
                max_examples=most,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def collect(case: Any) -> None:
                cases.append(case)

            collect()
        except Unsatisfiable:  # an operation without anything to be wrong about
            continue
    return cases


async def test_the_document_names_every_answer(browser) -> None:
    document = (await browser.client.get("/api/v1/openapi.json", headers=bearer(browser, "read"))).json()
    assert document["openapi"].startswith("3.")
    asked: dict[str, int] = {}
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        known = document["paths"][operation.path][operation.method.lower()]["responses"]
        for number, case in enumerate(cases_of(operation)):
            token = TOKENS[number % len(TOKENS)]
            answer = await browser.client.request(
                case.method,
                case.formatted_path,
                params=dict(case.query or {}),
                headers=headers_of(case) | bearer(browser, token),
                **body_of(case),
            )
            told = (case.method, case.formatted_path, answer.status_code, answer.text[:200])
            assert answer.status_code < 500, told  # 503 is for a database that is away: here it is not
            assert str(answer.status_code) in known, told
            assert token not in {"", "none of ours"} or answer.status_code in {401, 404}, told
            asked[operation.label] = asked.get(operation.label, 0) + 1
    assert len(asked) == sum(len(methods) for methods in document["paths"].values()) > 25


def headers_of(case: Any) -> dict[str, str]:
    """Return the headers that a client can send at all."""
    named = {str(name): str(value) for name, value in (case.headers or {}).items()}
    return {name: value for name, value in named.items() if value.isascii() and value.isprintable() and name.isascii()}


def bearer(browser, token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {browser.tokens.get(token, token)}"} if token else {}


def body_of(case: Any) -> dict[str, Any]:
    """Return the body as JSON; schemathesis says by a mark of its own that there is none."""
    is_json = isinstance(case.body, dict | list | str | int | float | bool) or case.body is None
    return {"json": case.body if is_json else None} if case.method.upper() == "POST" else {}
