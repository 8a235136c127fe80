"""What a task does with its capture: `enjamb replay` as a child, into a directory of this attempt alone.

Whatever an attempt leaves is of no account until the driver takes it, and it takes what one attempt of each task has reported. So a task that is tried again,
or twice at a time, writes no record twice.
"""

import hashlib
import json
import os
import shutil
import subprocess

from pyspark import SparkFiles, TaskContext

import summaries

SUMMARY = "_summary.json"

# Exit codes of `enjamb replay`, as docs/replay.md has them.
DONE = 0
WANTING = 1
WRONG_USAGE = 2
NOTHING_READ = 3

# How much of what the child says is kept, in bytes.
SAID_MAX = 4096


class Failed(Exception):
    """The child could not do its work, and another attempt might."""


def identity(capture):
    """A name for a capture's files: the same whenever and wherever it is replayed."""
    return hashlib.sha256(os.fsencode(capture)).hexdigest()[:16]


def replay(number, capture, settings):
    """Replays one capture, and reports what came of it."""
    context = TaskContext.get()
    attempt = os.path.join(settings["attempts"], identity(capture), str(context.taskAttemptId()))
    report = {"number": number, "capture": capture, "attempt": attempt}
    try:
        return {**report, **run(context, capture, attempt, settings)}
    except Failed as failed:
        shutil.rmtree(attempt, ignore_errors=True)
        # The last attempt that Spark allows: to fail it is to fail the job, and all the other captures with it.
        if context.attemptNumber() + 1 >= settings["tries"]:
            return {**report, "failed": str(failed)}
        raise


def run(context, capture, attempt, settings):
    """One attempt."""
    os.makedirs(os.path.dirname(attempt), exist_ok=True)
    command = [SparkFiles.get(settings["enjamb"]), "replay", "--format", "parquet", "--out", attempt]
    command += ["--jobs", str(context.cpus())]
    child = subprocess.run(
        [*command, *settings["options"], "--", capture],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    said = child.stderr[-SAID_MAX:].decode(errors="replace").strip()
    complete = os.path.exists(os.path.join(attempt, SUMMARY))
    # What cannot be read is a finding, and the summary counts it. Without a summary it is the dataset that could not be written.
    if child.returncode in (DONE, WANTING, NOTHING_READ) and complete:
        return {"code": child.returncode, "said": said}
    if child.returncode == WRONG_USAGE:
        raise ValueError(f"enjamb replay does not take these options: {said}")
    raise Failed(f"enjamb replay ended with {child.returncode}: {said}")


def merged(reports):
    """The summaries of several captures as one, as an iterator of it."""
    total = None
    for report in reports:
        with open(os.path.join(report["attempt"], SUMMARY), encoding="utf-8") as file:
            summary = summaries.of_capture(json.load(file), report["capture"], report["number"])
        total = summaries.merge(total, summary)
    return iter([total])
