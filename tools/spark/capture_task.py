"""The work of one Spark task: runs `enjamb replay` over one capture, as a child process.

Each attempt writes to a directory of its own. The driver uses only the files of the attempt whose
report it has received. So a task that runs again, or twice at the same time, writes no record twice.
"""

import hashlib
import json
import os
import shutil
import subprocess

from pyspark import SparkFiles, TaskContext

import summaries

SUMMARY = "_summary.json"

# Exit codes of `enjamb replay` (docs/replay.md).
DONE = 0
FOUND_WANTING = 1
WRONG_USAGE = 2
NOTHING_READ = 3

# How much of the child's standard error is kept, in bytes: the end of it.
STDERR_MAX_BYTES = 4096


class ReplayError(Exception):
    """The child did not finish its work. Another attempt may succeed."""


def capture_id(capture):
    """Returns an identifier for the files of a capture, the same in every run and on every host."""
    return hashlib.sha256(os.fsencode(capture)).hexdigest()[:16]


def replay(number, capture, settings):
    """Replays one capture and returns a report.

    Raises ReplayError if the attempt fails and Spark allows another one.
    """
    context = TaskContext.get()
    attempt = os.path.join(settings["attempts"], capture_id(capture), str(context.taskAttemptId()))
    report = {"number": number, "capture": capture, "attempt": attempt}
    try:
        return {**report, **run(context, capture, attempt, settings)}
    except ReplayError as error:
        shutil.rmtree(attempt, ignore_errors=True)
        # If the last attempt raised, Spark would fail the job, and with it all other captures.
        if context.attemptNumber() + 1 >= settings["attempts_max"]:
            return {**report, "failed": str(error)}
        raise


def run(context, capture, attempt, settings):
    """Runs `enjamb replay` once. Returns its exit code and its standard error."""
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
    stderr = child.stderr[-STDERR_MAX_BYTES:].decode(errors="replace").strip()
    is_complete = os.path.exists(os.path.join(attempt, SUMMARY))
    # An unreadable capture is a result, and the summary counts it. Without a summary the dataset
    # itself could not be written.
    if child.returncode in (DONE, FOUND_WANTING, NOTHING_READ) and is_complete:
        return {"code": child.returncode, "stderr": stderr}
    if child.returncode == WRONG_USAGE:
        raise ValueError(f"enjamb replay refused its options: {stderr}")
    raise ReplayError(f"enjamb replay ended with {child.returncode}: {stderr}")


def merge_partition(reports):
    """Merges the summaries of several reports. Returns an iterator over the single result."""
    total = None
    for report in reports:
        with open(os.path.join(report["attempt"], SUMMARY), encoding="utf-8") as file:
            summary = summaries.with_capture(json.load(file), report["capture"], report["number"])
        total = summaries.merge(total, summary)
    return iter([total])
