"""Pictures drawn on the server: plain SVG without a script or a style attribute, readable by screen readers. Pure."""

import math
from collections.abc import Sequence
from html import escape

from markupsafe import Markup

from bridge.domain.match import Candidate
from bridge.reports.flow import Band

_COLUMNS = (
    {"verified": 1, "unsigned": 1, "rejected": 1},
    {"known customer": 2, "several could be": 2, "new person": 2, "not matched": 2},
    {"booked": 3, "updated": 3, "filtered": 3, "review": 3, "failed": 3, "received": 3, "waiting": 3, "duplicate": 3},
)


def sparkline(values: Sequence[int], *, label: str, width: int = 120, height: int = 28) -> Markup:
    """Return small bars, one a value, the last one marked."""
    top = max([*values, 1])
    step = width / max(len(values), 1)
    bars = []
    for place, value in enumerate(values):
        tall = max(round(value / top * (height - 2), 1), 1.5)
        mark = " last" if place == len(values) - 1 else ""
        bars.append(
            f'<rect class="bar{mark}" x="{place * step + 0.5:.1f}" y="{height - tall:.1f}" width="{max(step - 1.5, 1):.1f}" height="{tall}" rx="1"/>'
        )
    return _svg("spark", width, height, label, bars, size=f' width="{width}" height="{height}"')


def waterfall(candidate: Candidate, *, auto: float, review: float) -> Markup:
    """Return the evidence of a candidate: each comparison pushes the sum of bits to the right (for) or left (against)."""
    rows = [(one.field.replace("_", " "), one.level.replace("_", " "), one.weight) for one in candidate.comparisons]
    if not rows:
        return Markup("")
    sums = [0.0]
    for _, _, weight in rows:
        sums.append(sums[-1] + weight)
    marks = [("auto", _bits(auto)), ("review", _bits(review))]
    low, high = min([*sums, -1.0]), max([*sums, *(bits for _, bits in marks if bits is not None), 1.0])
    left, right, line = 120, 430, 26
    scale = (right - left) / (high - low)

    def at(bits: float) -> float:
        return round(left + (bits - low) * scale, 1)

    height = line * (len(rows) + 1) + 26
    parts = [f'<line class="axis" x1="{at(0)}" y1="4" x2="{at(0)}" y2="{height - 22}"/>']
    for name, bits in marks:
        if bits is not None:
            parts.append(f'<line class="mark {name}" x1="{at(bits)}" y1="4" x2="{at(bits)}" y2="{height - 22}"/>')
            anchor = "start" if name == "auto" else "end"  # apart, for the two may lie close
            parts.append(_text(at(bits), height - 6, name, kind="note", anchor=anchor))
    for number, (field, level, weight) in enumerate(rows):
        y = number * line + 6
        start, end = sorted((at(sums[number]), at(sums[number + 1])))
        parts.append(_text(left - 10, y + 14, field, anchor="end"))
        parts.append(_box("for" if weight >= 0 else "against", start, y, end - start, 18, title=level))
        parts.append(_text(right + 12, y + 14, f"{weight:+.1f} · {level[:34]}", kind="note"))
    y = len(rows) * line + 6
    start, end = sorted((at(0), at(sums[-1])))
    parts.append(_text(left - 10, y + 14, "together", kind="sum", anchor="end"))
    parts.append(_box("total", start, y, end - start, 18))
    parts.append(_text(right + 12, y + 14, f"{sums[-1]:+.1f} bits · {candidate.probability:.2%}", kind="sum"))
    label = f"Evidence of {len(rows)} comparisons: {sums[-1]:+.1f} bits together"
    return _svg("waterfall", 740, height, label, parts)


def _svg(
    kind: str, width: int, height: int, label: str, parts: Sequence[str], *, role: str = "img", size: str = ""
) -> Markup:
    """Put a picture together; every part was made here, of numbers and escaped texts."""
    opening = f'<svg class="{kind}" viewBox="0 0 {width} {height}"{size} role="{role}" aria-label="{escape(label)}">'
    return Markup(f"{opening}{''.join(parts)}</svg>")


def _text(x: float, y: float, text: str, *, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _box(kind: str, x: float, y: float, width: float, height: float, *, title: str = "") -> str:
    inner = f"<title>{escape(title)}</title>" if title else ""
    return f'<rect class="{kind}" x="{x}" y="{y:.1f}" width="{max(width, 1.5):.1f}" height="{height:.1f}" rx="3">{inner}</rect>'


def _bits(probability: float) -> float | None:
    """Return the log odds of a probability in bits, None at its ends."""
    return math.log2(probability / (1 - probability)) if 0 < probability < 1 else None


def sankey(bands: Sequence[Band], *, prefix: str = "/deliveries?q=") -> Markup:
    """Return the flow from sources to outcomes; each band is a link to what it holds."""
    from urllib.parse import quote  # noqa: PLC0415

    if not bands:
        return Markup("")
    place = {name: column for known in _COLUMNS for name, column in known.items()}
    nodes: dict[str, int] = {}
    for band in bands:
        nodes.setdefault(band.start, place.get(band.start, 0))
        nodes.setdefault(band.end, place.get(band.end, 3))
    size = {
        name: max(sum(b.count for b in bands if b.start == name), sum(b.count for b in bands if b.end == name))
        for name in nodes
    }
    columns = {column: [name for name, at in nodes.items() if at == column] for column in range(4)}
    total = max(sum(size[name] for name in names) for names in columns.values())
    rows = max(len(names) for names in columns.values())
    height, gap = max(360, rows * 46), 16
    unit = (height - gap * (rows + 1)) / max(total, 1)
    top: dict[str, float] = {}
    for names in columns.values():
        y = float(gap)
        for name in sorted(names, key=lambda one: -size[one]):
            top[name] = y
            y += max(size[name] * unit, 3) + gap
    x = {0: 130, 1: 360, 2: 590, 3: 790}
    used_out, used_in = dict.fromkeys(nodes, 0.0), dict.fromkeys(nodes, 0.0)
    parts = []
    for band in sorted(bands, key=lambda one: (top[one.start], top[one.end])):
        tall = max(band.count * unit, 1.5)
        y1, y2 = top[band.start] + used_out[band.start], top[band.end] + used_in[band.end]
        used_out[band.start] += tall
        used_in[band.end] += tall
        a, b = x[nodes[band.start]] + 12, x[nodes[band.end]]
        middle = (a + b) / 2
        upper = f"M{a},{y1:.1f} C{middle},{y1:.1f} {middle},{y2:.1f} {b},{y2:.1f}"
        lower = f"L{b},{y2 + tall:.1f} C{middle},{y2 + tall:.1f} {middle},{y1 + tall:.1f} {a},{y1 + tall:.1f} Z"
        said = f"{band.start} → {band.end}: {band.count}"
        tone = band.end.replace(" ", "-")
        picture = f'<path class="band {escape(tone)}" d="{upper} {lower}"><title>{escape(said)}</title></path>'
        parts.append(f'<a href="{prefix}{quote(band.query)}" aria-label="{escape(said)}">{picture}</a>')
    for name, column in nodes.items():
        tall = max(size[name] * unit, 3)
        left = column == 0
        label_x, anchor = (x[column] - 8, "end") if left else (x[column] + 18, "start")
        parts.append(_box("node", x[column], top[name], 12, tall))
        parts.append(_text(label_x, top[name] + tall / 2 + 4, f"{name} · {size[name]}", anchor=anchor))
    return _svg("sankey", 940, round(height), "The flow from sources to outcomes", parts, role="group")
