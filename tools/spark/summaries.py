"""Merges the summaries of several captures into the summary of one run over all of them.

`enjamb replay --format parquet` writes a summary as `_summary.json`; docs/records.md has its fields.
Counts add up. Quantiles do not, so they are computed again from the histograms, which do add up. All
histograms have the same buckets, so the quantiles have the same digits as those of one run.
"""

import math

# Lists of objects, and the fields that identify an object. Objects with equal fields are merged.
KEYS = {
    "endings": ("client", "server"),
    "errors": ("side", "protocol", "kind", "outcome", "why"),
    "flags": ("side", "protocol", "kind", "outcome", "flag"),
    "kinds": ("protocol", "kind"),
    "latency_us_by_kind": ("protocol", "kind"),
    "distribution": ("from", "to"),
    "messages_per_chunk": ("from", "to"),
    "chunks_per_message": ("from", "to"),
}

# The largest number of entries in these lists of a summary.
LONGEST_MAX = 10
INCIDENTS_MAX = 64

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}

# The order of entries with equal counts.
ENDINGS = ["closed", "reset", "lost"]
OUTCOMES = ["ok", "failed", "malformed", "incomplete"]


def with_capture(summary, capture, number):
    """Adds the capture's name to each entry that names a connection, and the order of the entries.

    Connections are numbered within a capture, so a number alone is ambiguous in a merged summary.
    """
    for place, connection in enumerate(summary.get("longest", [])):
        connection.update(capture=capture, order=[number, place])
    for place, incident in enumerate(summary.get("capture", {}).get("incidents", [])):
        incident.update(capture=capture, order=[number, place])
    return summary


def merge(one, other):
    """Merges two summaries, either of which may be None."""
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
        return sorted(one + other, key=_longest_key)[:LONGEST_MAX]
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
        raise ValueError(f"cannot merge summaries that differ in {name}: {one} and {other}")
    return one


def _merge_lists(keys, one, other):
    def key(item):
        return tuple(item[name] for name in keys)

    merged = {key(item): item for item in one}
    for item in other:
        place = key(item)
        if place in merged:
            both = (merged[place], item)
            rest = [{name: value for name, value in it.items() if name not in keys} for it in both]
            merged[place] = {**{name: item[name] for name in keys}, **_merge("", *rest)}
        else:
            merged[place] = item
    return list(merged.values())


def quantiles(histogram):
    """Computes the count, the maximum and the quantiles of a histogram.

    A histogram is a list of pairs: the largest value of a bucket, and the number of values in it.
    """
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


def _longest_key(connection):
    return -connection["duration_us"], connection["order"]


def _tally_key(phrase):
    return lambda it: (
        -it["count"], it["side"], it["protocol"], it["kind"], OUTCOMES.index(it["outcome"]), it[phrase]
    )


def finish(summary):
    """Sorts the lists of a merged summary as `enjamb replay` does."""
    for entry in summary.get("longest", []) + summary.get("capture", {}).get("incidents", []):
        entry.pop("order", None)
    order = {
        "endings": lambda it: (-it["count"], ENDINGS.index(it["client"]), ENDINGS.index(it["server"])),
        "errors": _tally_key("why"),
        "flags": _tally_key("flag"),
        "kinds": lambda it: (-it["messages"], it["protocol"], it["kind"]),
        "latency_us_by_kind": lambda it: (-it["count"], it["protocol"], it["kind"]),
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
