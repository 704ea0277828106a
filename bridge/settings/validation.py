"""Pydantic's errors in words a person who edits YAML understands, each at its place."""

from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bridge.settings.faults import Fault, did_you_mean
from bridge.settings.reading import Written, dotted, trap
from bridge.settings.schema import Config

_TYPES = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list (lines that start with -)",
    "dict_type": "a block of `key: value` lines",
    "model_type": "a block of `key: value` lines",
    "model_attributes_type": "a block of `key: value` lines",
}


_ROUNDS = (
    6  # cutting a faulty key out may leave its block without one it needs, and so on up; four levels are the deepest
)
_NEEDED: dict[str, Any] = {
    "tenants": {}, "sources": {}, "tenant_id": 1, "environment": "simulator", "connector": "", "tenant": "",
    "name": "?", "do": [{"never": []}],
}  # fmt: skip
"""What stands in for a key that is missing or faulty, so that the rest of its block is still looked at."""
_MAPPINGS = frozenset({"campaigns", "services", "map", "fields", "tags"})
_PATTERNS = {
    "^[A-Z]{2}$": "must be two capital letters, like US",
    "^https?://": "must start with http:// or https://",
}


def validate(tree: Written) -> tuple[Config | None, list[Fault]]:
    """Return the config that the files describe and everything that is wrong with its shape.

    With faults the config is what is left without the faulty parts, each rule at its place, so that the other checks can
    go on and a person sees every fault at once; None where nothing is left.
    """
    data = _forgiving(tree.plain())
    faults: list[Fault] = []
    for _ in range(_ROUNDS):
        try:
            return Config.model_validate(data), faults
        except ValidationError as error:
            if not faults:
                faults = _faults(tree, error)
            if not _mended(data, error):
                break
    return None, faults


def _mended(data: Any, error: ValidationError) -> bool:
    """Cut out what was wrong, and put in what stands for it where it is needed; tell whether anything could be done."""
    cuts: set[tuple[str | int, ...]] = set()
    filled = False
    for detail in error.errors(include_url=False, include_context=False):
        path, missing = _walked(data, detail["loc"]), detail["loc"][-1]
        if detail["type"] == "missing" and missing in _NEEDED and "updates" not in path:
            _inside(data, path)[missing] = _NEEDED[missing]
            filled = True
        else:
            cuts.add(path)
    for path in sorted(cuts, key=lambda path: [str(part).zfill(9) for part in path], reverse=True):
        if not path:
            return False
        _cut(data, path)
    return filled or bool(cuts)


def _cut(data: Any, path: tuple[str | int, ...]) -> None:
    """Take one value out; of a list only rules and their steps keep their places, another list goes whole."""
    *above, last = path
    inside = _inside(data, tuple(above))
    if isinstance(inside, dict):
        inside.pop(last, None)
    elif isinstance(last, int) and above == ["rules"]:
        inside[last] = {"name": "?", "do": [{"never": []}]}
    elif isinstance(last, int) and above[-1] == "do":
        inside[last] = {"never": []}
    else:
        _cut(data, tuple(above))


def _inside(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        data = data[part]
    return data


def _walked(data: Any, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the part of an error's path that leads somewhere in the data."""
    path: tuple[str | int, ...] = ()
    for part in loc:
        if (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        ):
            path = (*path, part)
            data = data[part]  # type: ignore[index]
    return path


def _forgiving(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data with what people leave empty read as they mean it: an empty block is a block without keys."""
    rules = data.get("rules")
    for rule in rules if isinstance(rules, list) else []:
        if isinstance(rule, dict) and isinstance(rule.get("when"), bool):
            rule["when"] = str(rule["when"]).lower()  # an expression, though YAML takes it for a value
        do = rule.get("do") if isinstance(rule, dict) else None
        for step in do if isinstance(do, list) else []:
            if isinstance(step, dict):
                step.update(
                    {name: {} for name, value in step.items() if value is None and name not in ("hold", "ignore")}
                )
    return {name: block for name, block in data.items() if block is not None}


def _faults(tree: Written, error: ValidationError) -> list[Fault]:
    """Return one fault per place: a value that fits no branch of a union is one fault, not one per branch."""
    grouped: dict[tuple[str | int, ...], list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        _, walked = tree.at(detail["loc"])
        missing = detail["type"] in ("missing", "extra_forbidden")
        grouped.setdefault((*walked, detail["loc"][-1], "!") if missing else walked, []).append(detail)
    return [_fault(tree, details) for details in grouped.values()]


def _fault(tree: Written, details: list[ErrorDetails]) -> Fault:
    detail = details[0]
    found, walked = tree.at(detail["loc"])
    if found.data is None and found.place == found.key_place and detail["type"] in _TYPES:
        what = "is mapped to nothing" if len(walked) > 1 and walked[-2] in _MAPPINGS else "is empty"
        return Fault(place=found.place, path=dotted(walked), message=what, hint="write a value, or take the line out")
    match detail["type"]:
        case "missing":
            path = (*walked, detail["loc"][-1])
            hint = "" if str(path[-1]) not in _NEEDED else f"write `{path[-1]}: …` into this block"
            return Fault(place=found.key_place, path=dotted(path), message="is required", hint=hint)
        case "extra_forbidden":
            word = str(detail["loc"][-1])
            known = known_keys(walked[:-1])
            hint = did_you_mean(word, known) or (f"known are {', '.join(sorted(known))}" if known else "")
            return Fault(place=found.key_place, path=dotted(walked), message="unknown key", hint=hint)
        case "literal_error":
            return _not_one_of(found, walked, _expected(details))
        case "value_error":
            message = detail["msg"].removeprefix("Value error, ")
            return Fault(place=found.place, path=dotted(walked), message=message)
        case kind if kind in _TYPES:
            return _wrong_type(found, walked, [each["type"] for each in details])
    return Fault(place=found.place, path=dotted(walked), message=_said(detail))


def _wrong_type(found: Written, walked: tuple[str | int, ...], types: Iterable[str]) -> Fault:
    wanted = list(dict.fromkeys(_TYPES[name] for name in types if name in _TYPES))
    expected = "yes or no" if wanted == ["true or false"] else "text" if "a text" in wanted else ""
    caught = trap(found, expected)
    what = "an id or a name" if wanted == ["a whole number", "a text"] else " or ".join(wanted)
    return Fault(place=found.place, path=dotted(walked), message=caught or f"must be {what}")


def _expected(details: Iterable[ErrorDetails]) -> list[str]:
    found: list[str] = []
    for detail in details:
        text = str(detail.get("ctx", {}).get("expected", ""))
        found += [part.strip(" '") for part in text.replace(" or ", ",").split(",") if part.strip(" '")]
    return found


def _not_one_of(found: Written, walked: tuple[str | int, ...], expected: list[str]) -> Fault:
    hint = did_you_mean(str(found.data), expected) if isinstance(found.data, str) else ""
    return Fault(
        place=found.place, path=dotted(walked), message=f"must be one of {', '.join(expected)}", hint=hint
    )  # fmt: skip


def _said(detail: ErrorDetails) -> str:
    """Return pydantic's own words without their capital, for the plain bounds (greater than, at least, pattern)."""
    context: Mapping[str, Any] = detail.get("ctx", {})
    if detail["type"] == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        return _PATTERNS.get(pattern, 'must be opening hours like "08:00-17:00", or closed')
    if detail["type"] == "too_short":
        return "is empty: name at least one"
    message = detail["msg"].removeprefix("Input ")
    return message[:1].lower() + message[1:]


def known_keys(path: tuple[str | int, ...]) -> frozenset[str]:
    """Return the keys that a block at this path may have, empty where any key is fine."""
    here: Any = Config
    for part in path:
        here = _below(here, part)
    return frozenset(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else frozenset()


def _below(annotation: Any, part: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return _bare(field.annotation) if field is not None else None
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return _bare(arguments[1])
    if get_origin(annotation) is list:
        return _bare(arguments[0])
    return None


def _bare(annotation: Any) -> Any:
    """Return an annotation without `| None`."""
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return kinds[0] if type(None) in get_args(annotation) and len(kinds) == 1 else annotation
