"""What is known of the kernel that a journal is of, and the journals that a host finds when it starts."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from kernelway.host.journal_files import remove
from kernelway.host.segments import Segment, cut_tail, make_folder, segments_in
from kernelway.protocol.link_framing import START, Position
from kernelway.protocol.message import UNREADABLE
from kernelway.protocol.models import EndedSession, KernelId, timestamp
from kernelway.transport.folders import private_folder

log = logging.getLogger(__name__)

_FILE = "record.json"

_KILLED = "The host that ran it was killed, or its machine restarted."


class Record(msgspec.Struct, frozen=True):
    """A journal's kernel; the last four are known of one that has ended."""

    id: KernelId
    name: str
    started: str
    sessions: list[EndedSession] = msgspec.field(default_factory=list)
    ended: str | None = None
    reason: str = ""
    noted: float = 0.0
    """When its end was noted, seconds since 1970: from then on it is kept for a while."""
    newest: Position = START


@dataclass(frozen=True, slots=True)
class Found:
    """A journal of a kernel that has ended."""

    record: Record
    segments: list[Segment]


def write_record(folder: Path, record: Record) -> None:
    """Replace the record of a journal's folder in one step; OSError where it cannot be written."""
    make_folder(folder)
    newer = folder / f"{_FILE}.new"
    descriptor = os.open(newer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(record))
    newer.replace(folder / _FILE)


def find_journals(folder: Path, *, keep: float) -> list[Found]:
    """The journals in a folder; kernels without an end have ended because their host did.

    Those that ended longer than ``keep`` seconds ago are deleted, as are those with nothing in them. What
    cannot be read is logged and left alone. Raises ConfigError where the folder is another user's.
    """
    found = []
    try:
        private_folder(folder)
        folders = sorted(each for each in folder.iterdir() if each.is_dir())
    except OSError as error:
        log.error("The journals in %s cannot be read: %s.", folder, error.strerror)
        return []
    for each in folders:
        try:
            journal = _found_in(each)
            if journal.record.newest == START or journal.record.noted + keep <= time.time():
                remove(each)
            else:
                found.append(journal)
        except OSError as error:
            log.error("The journal in %s cannot be read: %s.", each, error.strerror)
    return found


def _found_in(folder: Path) -> Found:
    segments = segments_in(folder)
    record = _record_in(folder)
    if record.ended is None:
        _cut_tails(segments)
        # A host that was killed leaves no better sign of when that was.
        last = segments[-1].touched if segments else time.time()
        record = msgspec.structs.replace(
            record,
            ended=timestamp(datetime.fromtimestamp(last, UTC)),
            reason=_KILLED,
            noted=time.time(),
            newest=segments[-1].last if segments else START,
        )
        # It is found again in the same way if this cannot be written now.
        with contextlib.suppress(OSError):
            write_record(folder, record)
    elif segments:
        segments[-1].last = max(record.newest, segments[-1].first)
    return Found(record, segments)


def _cut_tails(segments: list[Segment]) -> None:
    while segments:
        torn = cut_tail(segments[-1])
        if torn:
            log.warning("The end of the journal %s is torn: %d bytes are cut off.", segments[-1].path, torn)
        if segments[-1].size:
            return
        segments.pop().path.unlink()


def _record_in(folder: Path) -> Record:
    try:
        record = msgspec.json.decode((folder / _FILE).read_bytes(), type=Record)
        if record.id == folder.name:
            return record
        problem = "it is another kernel's"
    except FileNotFoundError:
        problem = "it is not there"
    except UNREADABLE:
        problem = "it is damaged"
    log.error("The record of the journal in %s cannot be used: %s.", folder, problem)
    started = timestamp(datetime.fromtimestamp(folder.stat().st_mtime, UTC))
    return Record(KernelId(folder.name), "", started)
