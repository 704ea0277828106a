"""The door of the API: who asks, may they, what is asked; then the effect, the misbehaviour, and the answer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from bridge.simulator import router
from bridge.simulator.account import Account, Client
from bridge.simulator.call import Call
from bridge.simulator.contract import load
from bridge.simulator.faults import Action, Fault, Meeting, distort
from bridge.simulator.limits import Bucket
from bridge.simulator.problems import Problem, refuse
from bridge.simulator.state import Logged, Simulator
from bridge.simulator.values import Errors, Nulls, read_query, stamp

MODULES = {module.name: module for module in load()}
JSON = "application/json; charset=utf-8"
SERVER_TIMEOUT_SECONDS = 100.0
LOGGED_BODY_BYTES = 2000

HTML_502 = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body></html>\r\n"


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request as it came; header names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Reply(msgspec.Struct, gc=False):
    """What goes back, and how: `fate` is answer, drop, refuse, timeout or slow; `wait` the seconds it takes."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = {}
    fate: str = "answer"
    wait: float = 0.0


class Door:
    """Serves requests one by one; what it does is whole when it returns, so that requests never interleave."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.root = router.build()

    def serve(self, request: Request) -> Reply:
        """Serve one request: token door or API, under the fault that meets it, and log it."""
        simulator = self.simulator
        simulator.settle()
        number = simulator.next_request()
        request_id = f"00-{simulator.seed & 0xFFFF:04x}{number:028x}-{number:016x}-00"
        visit = Visit(self, request, request_id)
        fault = None
        if simulator.faults.rules:
            operation = visit.route.operation.name if visit.route else ""
            meeting = Meeting(request.method, request.path, operation, visit.tenant or 0, request.body)
            fault = simulator.faults.pick(meeting)
        reply = visit.run() if fault is None else visit.suffer(fault)
        reply.headers = {**reply.headers, "x-request-id": request_id}
        self._log(visit, reply, number, fault)
        return reply

    def _log(self, visit: "Visit", reply: Reply, number: int, fault: Fault | None) -> None:
        request = visit.request
        secret = request.path == "/connect/token"
        self.simulator.log.append(
            Logged(
                sequence=number,
                at=visit.at,
                request_id=visit.request_id,
                method=request.method,
                path=request.path,
                query=request.query,
                tenant=visit.tenant or 0,
                client_id=visit.client.client_id if visit.client else "",
                operation=visit.route.operation.name if visit.route else "",
                status=reply.status if reply.fate in {"answer", "slow"} else 0,
                fault=fault.action.value if fault else "",
                body="" if secret else request.body[:LOGGED_BODY_BYTES].decode("utf-8", "replace"),
            )
        )


class Visit:
    """One request while it is served."""

    def __init__(self, door: Door, request: Request, request_id: str) -> None:
        self.simulator = door.simulator
        self.request = request
        self.request_id = request_id
        self.at = self.simulator.now()
        self.client: Client | None = None
        self.route: router.Route | None = None
        self.texts: list[str] = []
        self.allowed: list[str] = []
        self.admitted: tuple[Account, router.Route] | None = None
        found = router.match(door.root, request.path)
        if found is not None:
            node, self.texts = found
            self.route = node.methods.get(request.method)
            self.allowed = sorted(node.methods)
        self.tenant = (
            int(self.texts[0]) if self.texts and self.texts[0].isdecimal() and len(self.texts[0]) < 20 else None
        )

    def run(
        self, *, by: str = "api", prepare: Callable[[Call], None] | None = None, fault: Fault | None = None
    ) -> Reply:
        """Do what is asked and return the answer; a refusal is an answer too."""
        try:
            if self.request.path == "/connect/token":
                return self._token()
            account, route = self.admitted or self._admit()
            call = self._read(account, route, by=by)
            if prepare is not None:
                prepare(call)
            value = route.handler(call)
        except Problem as problem:
            return self._refusal(problem)
        operation = route.operation
        if not operation.answer:
            return Reply(200, b"")
        if operation.shape is not None:
            value = operation.shape(value)
        if fault is not None:
            value = distort(operation.answer, value, MODULES[operation.module], fault)
        return Reply(200, msgspec.json.encode(value))

    def _refusal(self, problem: Problem) -> Reply:
        documented = self.route.operation.errors if self.route else frozenset[int]()
        status = problem.status
        if documented and status in {404, 409} and status not in documented and not problem.settled:
            problem.status = self.simulator.switches.undeclared_status or status
        return Reply(problem.status, problem.body(self.request_id), headers=problem.headers)

    def _token(self) -> Reply:
        """Give out a token for client credentials; IdentityServer's short error bodies otherwise."""
        simulator, request = self.simulator, self.request
        if request.method != "POST":
            return Reply(405, b"", headers={"allow": "POST"})
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        if form.get("grant_type") != "client_credentials":
            return Reply(400, b'{"error":"unsupported_grant_type"}')
        client = simulator.clients.get(form.get("client_id", ""))
        if client is None or client.client_secret != form.get("client_secret"):
            return Reply(400, b'{"error":"invalid_client"}')
        self.client = client
        per_minute = simulator.switches.token_requests_per_minute
        if simulator.grants.throttled(client.client_id, per_minute=per_minute, now=self.at):
            problem = Problem(429, "Rate limit is exceeded. Try again in 60 seconds.", headers={"retry-after": "60"})
            return Reply(429, problem.body(self.request_id), headers=problem.headers)
        seconds = simulator.switches.token_seconds
        token = simulator.grants.issue(client, seconds=seconds, now=self.at)
        scope = " ".join(sorted(client.scopes)) if client.scopes is not None else "tn.all"
        answer = {"access_token": token, "expires_in": seconds, "token_type": "Bearer", "scope": scope}
        return Reply(200, msgspec.json.encode(answer))

    def bearer(self) -> str:
        """Return the token of the request, empty if there is none."""
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def _admit(self) -> tuple[Account, router.Route]:
        """Let the request in: token, app key, tenant, rate, path, method, scope, in this order."""
        simulator, request = self.simulator, self.request
        switches = simulator.switches
        grant = simulator.grants.tokens.get(self.bearer())
        if grant is None or grant.expires_at <= self.at:
            raise Problem(401, "Unauthorized", headers={"www-authenticate": 'Bearer error="invalid_token"'})
        client = self.client = grant.client
        if request.headers.get("st-app-key") != client.app_key:
            raise Problem(
                switches.bad_app_key_status,
                "The application key is missing or not valid for this client.",
                settled=True,
            )
        if self.texts and self.tenant != client.tenant:
            raise Problem(switches.tenant_mismatch_status, "The token was not issued for this tenant.", settled=True)
        self._limit(client)
        if self.route is None:
            if self.allowed:
                raise Problem(405, "Method not allowed.", headers={"allow": ", ".join(self.allowed)})
            raise Problem(404, "Resource not found.")
        if not client.may(self.route.operation.scope):
            raise Problem(403, f"The scope {self.route.operation.scope} is missing.")
        return simulator.accounts[client.tenant], self.route

    def _limit(self, client: Client) -> None:
        per_second = self.simulator.switches.rate_limit_per_second
        if not per_second:
            return
        key = (client.app_key, client.tenant)
        bucket = self.simulator.buckets.get(key)
        if bucket is None:
            bucket = self.simulator.buckets[key] = Bucket(per_second=per_second, at=self.at)
        seconds = bucket.take(per_second=per_second, now=self.at)
        if seconds:
            raise rate_limited(seconds, header=self.simulator.switches.rate_limit_header)

    def _read(self, account: Account, route: router.Route, *, by: str) -> Call:
        """Read path, query and body as the contract says; all errors are gathered into one 400."""
        switches = self.simulator.switches
        errors = Errors(refuse_unknown=switches.unknown_members_refused)
        path: dict[str, Any] = {}
        for (name, kind), text in zip(route.kinds, self.texts, strict=True):
            path[name] = _plain(kind, unquote(text), name, errors)
        query: dict[str, Any] = {}
        for name, text in parse_qsl(self.request.query, keep_blank_values=True) if self.request.query else ():
            field = route.query.get(name)
            if field is not None and text:
                kind = field.kind
                members = MODULES[route.operation.module].schemas.get(kind)
                query[name] = (
                    _member(members.members, text, name, errors) if members else _plain(kind, text, name, errors)
                )
        for field in route.operation.query:
            if field.required and field.name not in query:
                errors.add(field.name, f"The {field.name} field is required.")
        body = self._body(route, errors)
        refuse(errors)
        return Call(
            self.simulator,
            account,
            operation=route.operation,
            client=self.client,
            path=path,
            query=query,
            body=body,
            request_id=self.request_id,
            by=by,
            at=self.at,
        )

    def _body(self, route: router.Route, errors: Errors) -> Any:
        reader = route.operation.read_body
        if reader is None:
            return None
        content_type = self.request.headers.get("content-type", "application/json")
        try:
            value = msgspec.json.decode(self.request.body or b"null")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Problem(400, "The JSON value could not be read.", {"$": [str(error)]}) from error
        if value is None or "json" not in content_type:
            raise Problem(
                400,
                "A non-empty request body of type application/json is required.",
                {"": ["A non-empty request body is required."]},
            )
        nulls = self.simulator.switches.null_in_patch if route.operation.method == "PATCH" else Nulls.STRICT
        return reader(value, "", errors, nulls)

    def suffer(self, fault: Fault) -> Reply:  # noqa: PLR0911 - one return for each kind of misbehaviour
        """Serve the request under a fault."""
        match fault.action:
            case Action.RATE_LIMIT | Action.RATE_LIMIT_BARE:
                header = fault.action is Action.RATE_LIMIT
                return self._refusal(rate_limited(int(fault.wait(7)), header=header))
            case Action.ERROR_BEFORE:
                return self._refusal(Problem(fault.status, "An unexpected error occurred.", settled=True))
            case Action.ERROR_AFTER:
                self.run()
                return self._refusal(Problem(fault.status, "An unexpected error occurred.", settled=True))
            case Action.HTML_502:
                return Reply(502, HTML_502, content_type="text/html")
            case Action.MAINTENANCE:
                title = "The service is suspended for maintenance. Please try again later."
                return self._refusal(Problem(409, title, settled=True))
            case Action.EXPIRE_TOKEN:
                self.simulator.grants.revoke(self.bearer())
                return self.run()
            case Action.DROP_BEFORE | Action.REFUSE | Action.TIMEOUT_BEFORE | Action.LATE_APPLY:
                return self._unanswered(fault)
            case Action.DROP_AFTER | Action.TIMEOUT_AFTER:
                reply = self.run()
                reply.fate = "drop" if fault.action is Action.DROP_AFTER else "timeout"
                reply.wait = 0.0 if fault.action is Action.DROP_AFTER else fault.wait(SERVER_TIMEOUT_SECONDS)
                return reply
            case _:
                return self._answered(fault)

    def _unanswered(self, fault: Fault) -> Reply:
        """Return a reply that never arrives; a late apply is done after the wait, the client has given up by then."""
        if fault.action is Action.DROP_BEFORE:
            return Reply(0, b"", fate="drop")
        if fault.action is Action.REFUSE:
            return Reply(0, b"", fate="refuse")
        wait = fault.wait(SERVER_TIMEOUT_SECONDS)
        if fault.action is Action.LATE_APPLY:
            try:
                self.admitted = self._admit()
            except Problem as problem:
                return self._refusal(problem)
            self.simulator.later(self.at + timedelta(seconds=wait), self._apply_late)
        return Reply(0, b"", fate="timeout", wait=wait)

    def _apply_late(self) -> None:
        """Apply what was let in when it came, at the time it is now."""
        self.at = self.simulator.now()
        self.run()

    def _answered(self, fault: Fault) -> Reply:
        """Return an answer that arrives but is slow, stale, shifted, doubled or bent."""
        match fault.action:
            case Action.DUPLICATE_APPLY:
                reply = self.run()
                self.run(by="fault")
            case Action.STALE_READS:
                reply = self._stale(fault.wait(60.0))
            case Action.PAGING_SHIFT:
                reply = self.run(prepare=lambda call: setattr(call, "shift", fault.shift))
            case Action.NULL_REQUIRED | Action.INT_ENUMS:
                reply = self.run(fault=fault)
            case Action.EMPTY_BODY:
                reply = self.run()
                reply.body = b""
            case Action.BROKEN_BODY:
                reply = self.run()
                reply.body = reply.body[: len(reply.body) // 2]
            case Action.SLOW_BODY:
                reply = self.run()
                reply.fate, reply.wait = "slow", fault.wait(5.0)
            case _:
                reply = self.run()
                reply.wait = fault.wait(1.0)
        return reply

    def _stale(self, seconds: float) -> Reply:
        """Answer a read from the records as they were some seconds ago."""
        account = self.simulator.accounts.get(self.tenant or 0)
        if account is None:
            return self.run()
        account.see_as_of(stamp(self.at - timedelta(seconds=seconds)))
        try:
            return self.run()
        finally:
            account.see_as_of("")


def rate_limited(seconds: int, *, header: bool) -> Problem:
    """Return the 429; the seconds stand in the title, and in Retry-After where the header is sent."""
    headers = {"retry-after": str(seconds)} if header else {}
    return Problem(429, f"Rate limit is exceeded. Try again in {seconds} seconds.", headers=headers)


def _plain(kind: str, text: str, name: str, errors: Errors) -> Any:
    try:
        return read_query(kind, text)
    except ValueError:
        errors.add(name, f"The value '{text}' is not valid.")
        return None


def _member(members: tuple[str, ...], text: str, name: str, errors: Errors) -> Any:
    for at, member in enumerate(members):
        if text.lower() == member.lower() or text == str(at):
            return member
    errors.add(name, f"The value '{text}' is not valid.")
    return None
