"""Summaries of several captures as one: what one run over all of them would have counted.

A summary is what `enjamb replay --format parquet` writes as `_summary.json` (docs/records.md has its fields). Counts add up. Quantiles do not, so
they are computed anew from the histograms, which do: to the same digits as one run would have, since the histograms have the same buckets.
"""

import math

# Lists of objects, and the fields that say which of them are about the same.
KEYS = {
    "endings": ("client", "server"),
    "errors": ("side", "kind", "outcome", "why"),
    "kinds": ("kind",),
    "latency_us_by_kind": ("kind",),
    "distribution": ("from", "to"),
    "messages_per_chunk": ("from", "to"),
    "chunks_per_message": ("from", "to"),
}

# How many of these there are in a summary.
LONGEST_MAX = 10
INCIDENTS_MAX = 64

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}

# In which order a summary has what is equally frequent.
ENDINGS = ["closed", "reset", "lost"]
OUTCOMES = ["ok", "failed", "malformed", "incomplete"]


def of_capture(summary, capture, number):
    """The summary of one capture, ready to be merged. Its connections are numbered within it, so what names them names the capture too."""
    for place, lasted in enumerate(summary.get("longest", [])):
        lasted.update(capture=capture, order=[number, place])
    for place, incident in enumerate(summary.get("capture", {}).get("incidents", [])):
        incident.update(capture=capture, order=[number, place])
    return summary


def merge(one, other):
    """Both together. Either may be None."""
    if one is None or other is None:
        return one or other
    return _merge("", one, other)


def _merge(name, one, other):
    if one is None or other is None:
        return other if one is None else one
    if name == "first":
        return min(one, other)
    if name == "last":
        return max(one, other)
    if name == "longest":
        return sorted(one + other, key=_longest)[:LONGEST_MAX]
    if name == "incidents":
        return sorted(one + other, key=lambda it: it["order"])[:INCIDENTS_MAX]
    if name == "histogram":
        counts = dict(one)
        for value, count in other:
            counts[value] = counts.get(value, 0) + count
        return sorted([value, count] for value, count in counts.items())
    if name in KEYS:
        return _merge_lists(KEYS[name], one, other)
    if isinstance(one, dict):
        names = list(one) + [name for name in other if name not in one]
        merged = {name: _merge(name, one.get(name), other.get(name)) for name in names}
        if "histogram" in merged:
            merged.update(quantiles(merged["histogram"]))
        return merged
    if isinstance(one, int):
        return one + other
    if one != other:
        raise ValueError(f"summaries cannot be merged that differ in {name}: {one} and {other}")
    return one


def _merge_lists(keys, one, other):
    def key(item):
        return tuple(item[name] for name in keys)

    merged = {key(item): item for item in one}
    for item in other:
        place = key(item)
        if place in merged:
            rest = [{name: value for name, value in it.items() if name not in keys} for it in (merged[place], item)]
            merged[place] = {**{name: item[name] for name in keys}, **_merge("", *rest)}
        else:
            merged[place] = item
    return list(merged.values())


def quantiles(histogram):
    """What half of the values, nine in ten and so on do not exceed. A value of a histogram is the greatest that its bucket holds."""
    total = sum(count for _, count in histogram)
    found = {"count": total, "max": max((value for value, _ in histogram), default=0)}
    for name, part in QUANTILES.items():
        rank = max(math.ceil(part * total), 1)
        seen = 0
        for value, count in histogram:
            seen += count
            if seen >= rank:
                found[name] = value
                break
    return found


def _longest(lasted):
    return -lasted["duration_us"], lasted["order"]


def finished(summary):
    """The merged summary in the order that a summary has."""
    for lasted in summary.get("longest", []) + summary.get("capture", {}).get("incidents", []):
        lasted.pop("order", None)
    order = {
        "endings": lambda it: (-it["count"], ENDINGS.index(it["client"]), ENDINGS.index(it["server"])),
        "errors": lambda it: (-it["count"], it["side"], it["kind"], OUTCOMES.index(it["outcome"]), it["why"]),
        "kinds": lambda it: (-it["messages"], it["kind"]),
        "latency_us_by_kind": lambda it: (-it["count"], it["kind"]),
    }
    for place in (summary, *(value for value in summary.values() if isinstance(value, dict))):
        for name, value in place.items():
            if name in order:
                value.sort(key=order[name])
            elif name in KEYS:
                value.sort(key=lambda it: it["from"])
            elif isinstance(value, dict) and "distribution" in value:
                value["distribution"].sort(key=lambda it: it["from"])
    return summary
