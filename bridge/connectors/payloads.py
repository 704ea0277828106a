"""Bodies as plain data: JSON, forms with bracket keys, multipart and XML, each within limits.

What comes out is made of dict, list, str, numbers, bool and None alone. A body that is not what it says is PayloadMalformed,
never another exception.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from multipart import MultipartError, PushMultipartParser, parse_options_header

from bridge.connectors.base import PayloadMalformed
from bridge.domain.delivery import HookRequest

MAX_FIELDS = 12_000
"""Fields of a form: hostile requests send millions; the largest form seen in practice has a few hundred."""
MAX_DEPTH = 48
"""Levels of nesting: HubSpot's full records use 7."""

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
ANY_FORM = frozenset({FORM, MULTIPART})
JSON_TYPES = frozenset({"application/json", "text/json", "application/cloudevents+json", "application/vnd.api+json"})
XML_TYPES = frozenset({"text/xml", "application/xml", "application/soap+xml"})

_HOOK_PATH = re.compile(r"/hooks/[^/?#]+((?:/[^/?#]+)*)")


def sub_path(request: HookRequest) -> tuple[str, ...]:
    """Return what follows the source in the hook URL: `/hooks/callrail/post-call` gives ("post-call",)."""
    found = _HOOK_PATH.search(urlsplit(request.url).path)
    return tuple(filter(None, map(text, found[1].split("/")))) if found else ()


def query(request: HookRequest) -> dict[str, str]:
    """Return the query parameters of the URL; of a repeated name the first."""
    return dict(reversed(query_pairs(request)))


def query_pairs(request: HookRequest) -> list[tuple[str, str]]:
    """Return the query parameters of the URL in order, blanks kept."""
    pairs = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    return pairs[:MAX_FIELDS]


def read(request: HookRequest) -> Any:
    """Return the body as plain data by its content type, or by its first letter where the type says nothing useful."""
    kind = request.content_type
    if kind == "application/json" and request.method == "POST":  # nine in ten: asked first
        return read_json(request)
    if kind == FORM:
        return read_form(request)
    if kind == MULTIPART:
        return read_multipart(request)
    if kind in XML_TYPES or kind.endswith("+xml"):
        return read_xml(request)
    if not request.body.strip() and request.method == "GET":
        return nested(query_pairs(request))
    return read_json(request)


def read_object(request: HookRequest) -> dict[str, Any]:
    """Return a body that must be one object."""
    data = read(request)
    if not isinstance(data, dict):
        raise PayloadMalformed(f"an object was expected, not {type(data).__name__}")
    return data


def read_json(request: HookRequest) -> Any:
    """Return a JSON body; a byte order mark is forgiven."""
    return decode_json(request.body)


def decode_json(body: bytes | str) -> Any:
    """Return the data of a JSON text within the limit of nesting."""
    try:
        raw = body.removeprefix(b"\xef\xbb\xbf") if isinstance(body, bytes) else body
        data = msgspec.json.decode(raw)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise PayloadMalformed("no JSON") from error
    except RecursionError as error:
        raise PayloadMalformed("nested too deep") from error
    _refuse_depth(data, MAX_DEPTH)
    return without_nul(data) if _may_hold_nul(raw) else data


def _may_hold_nul(raw: bytes | str) -> bool:
    if isinstance(raw, bytes):
        return b"\\" in raw and b"\\u0000" in raw  # one letter is found thirty times as fast, and mostly is not there
    return "\\u0000" in raw


def without_nul(data: Any) -> Any:
    """Return plain data without NUL in texts and names: PostgreSQL stores it in neither text nor JSON."""
    if isinstance(data, str):
        return data.replace("\x00", "")
    if isinstance(data, dict):
        return {key.replace("\x00", ""): without_nul(value) for key, value in data.items()}
    return [without_nul(value) for value in data] if isinstance(data, list) else data


def _refuse_depth(data: Any, left: int) -> None:
    if isinstance(data, dict):
        inner: Iterable[Any] = data.values()
    elif isinstance(data, list):
        inner = data
    else:
        return
    if left == 0:
        raise PayloadMalformed("nested too deep")
    for item in inner:
        if isinstance(item, dict | list):
            _refuse_depth(item, left - 1)


def read_form(request: HookRequest) -> dict[str, Any]:
    """Return an urlencoded body, its bracket keys as nesting."""
    return nested(form_pairs(request))


def form_pairs(request: HookRequest) -> list[tuple[str, str]]:
    """Return the pairs of an urlencoded body in order, blanks kept."""
    pairs = request.body.decode("utf-8", "replace").strip("\r\n").replace("+", " ").split("&", MAX_FIELDS)
    if len(pairs) > MAX_FIELDS:
        raise PayloadMalformed("too many fields")
    split = (pair.partition("=") for pair in pairs if pair)
    return [(_unquoted(name), _unquoted(said)) for name, _, said in split]


def _unquoted(part: str) -> str:
    return unquote_to_bytes(part).decode("utf-8", "replace") if "%" in part else part


_KEY = re.compile(r"\[([^\[\]]*)\]")


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return pairs with PHP's bracket keys as nested data: `a[b][]=1` is {"a": {"b": ["1"]}}; a repeated name is a list."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        name, value = name.replace("\x00", ""), value.replace("\x00", "")  # noqa: PLW2901 - PostgreSQL stores no NUL
        if "[" not in name and name not in root:
            root[name] = value
            continue
        head, bracket, _ = name.partition("[")
        keys = _KEY.findall(name, len(head)) if bracket and head and name.endswith("]") else []
        if not keys or len(keys) > 8:
            _put(root, name, value)
            continue
        place = root
        for key in (head, *keys[:-1]):
            inner = place.get(key)
            if not isinstance(inner, dict):
                inner = {} if inner is None else {"": inner}
                place[key] = inner
            place = inner
        _put(place, keys[-1], value)
    return {key: _lists(value) if isinstance(value, dict) else value for key, value in root.items()}


def unfolded(data: Any) -> Any:
    """Return data with keys like `person__email` as nesting: no-code tools flatten so what they were given."""
    if isinstance(data, list):
        return [unfolded(item) for item in data]
    if not isinstance(data, dict) or not any("__" in key.strip("_") for key in data):
        return data
    pairs = {key: value for key, value in data.items() if "__" not in key.strip("_")}
    for key, value in data.items():
        if key in pairs:
            continue
        place, steps = pairs, [step for step in key.split("__") if step][:8]
        for step in steps[:-1]:
            inner = place.get(step)
            if inner is not None and not isinstance(inner, dict):
                break
            place = place.setdefault(step, {})
        else:
            if steps[-1] not in place:
                place[steps[-1]] = value
                continue
        pairs[key] = value  # the flat key contradicts another one: keep both
    return {key: _numbered(value) for key, value in pairs.items()}


def _numbered(value: Any) -> Any:
    """Turn {"0": …, "1": …} into the list it was."""
    if not isinstance(value, dict):
        return value
    inner = {key: _numbered(item) for key, item in value.items()}
    return list(inner.values()) if inner and all(key.isdigit() for key in inner) else inner


def _put(place: dict[str, Any], key: str, value: str) -> None:
    if key not in place:
        place[key] = value
    elif isinstance(place[key], list):
        place[key].append(value)
    elif isinstance(place[key], dict):
        place[key].setdefault("", value)
    else:
        place[key] = [place[key], value]


def _lists(value: Any) -> Any:
    """Turn {"": …} of an `a[]` key into the list it means."""
    if not isinstance(value, dict):
        return value
    if set(value) == {""}:
        only = value[""]
        return only if isinstance(only, list) else [only]
    return {key: _lists(item) for key, item in value.items()}


def read_multipart(request: HookRequest) -> dict[str, Any]:
    """Return the text parts of a multipart body by name; of a file only its name and size are kept."""
    _, options = parse_options_header(request.header("content-type") or "")
    pairs: list[tuple[str, str]] = []
    name, filename, held = "", None, b""
    try:
        with PushMultipartParser(options.get("boundary", ""), max_segment_count=MAX_FIELDS) as parser:
            for event in (*parser.parse(request.body), *parser.parse(b"")):
                if event is None:
                    text = held.decode("utf-8", "replace") if not filename else f"{filename} ({len(held)} bytes)"
                    pairs.append((name, text))
                elif isinstance(event, bytes | bytearray):
                    held += event
                else:
                    name, filename, held = event.name, event.filename, b""
    except (MultipartError, ValueError, AssertionError) as error:
        raise PayloadMalformed("no multipart form") from error
    return nested(pairs)


def read_xml(request: HookRequest) -> dict[str, Any]:
    """Return an XML body as {tag: content}, namespaces dropped; entities and DTDs are refused."""
    root = parse_xml(request.body)
    return {local_name(root): xml_data(root)}


def parse_xml(body: bytes) -> Element:
    """Return the root of an XML body; anything that could expand or fetch is refused."""
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise PayloadMalformed("no XML") from error
    return root


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def xml_data(element: Element, depth: int = 0) -> Any:
    """Return an element as text, or as a dict of its children; repeated children are a list."""
    if depth > MAX_DEPTH:
        raise PayloadMalformed("nested too deep")
    children = list(element)
    if not children:
        return (element.text or "").strip()
    data: dict[str, Any] = {}
    for child in children:
        value, name = xml_data(child, depth + 1), local_name(child)
        if name not in data:
            data[name] = value
        elif isinstance(data[name], list):
            data[name].append(value)
        else:
            data[name] = [data[name], value]
    return data


def dig(data: Any, *path: str | int) -> Any:
    """Return what stands at a path of plain data, None where any step is missing."""
    for step in path:
        if isinstance(step, int):
            data = data[step] if isinstance(data, list) and -len(data) <= step < len(data) else None
        else:
            data = data.get(step) if isinstance(data, dict) else None
        if data is None:
            return None
    return data


def at(data: Any, path: str) -> Any:
    """Return what stands at a dotted path (`payload.data.0.id`), None where any step is missing."""
    if isinstance(data, dict) and "." not in path:
        return data.get(path)
    for step in path.split("."):
        data = dig(data, int(step)) if isinstance(data, list) and step.isdigit() else dig(data, step)
        if data is None:
            return None
    return data


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
MAX_TEXT = 20_000


def text(value: Any) -> str:
    """Return a scalar as clean text: no control letters (PostgreSQL takes no NUL), no surrounding blanks, bounded."""
    if isinstance(value, str):
        raw = value[:MAX_TEXT].strip()
        return raw if raw.isprintable() else _CONTROL.sub("", raw).strip()
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case _:
            return ""


def items(value: Any) -> list[Any]:
    """Return a list as it is, None as empty, anything else as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, or a lone object as a list of one; anything else is left out."""
    return [item for item in items(value) if isinstance(item, dict)]
