"""The journals of a host: those of its kernels, and those of kernels that have ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from kernelway.host.journal import Journal
from kernelway.host.journal_files import JournalFiles
from kernelway.host.journal_files import JournalLimits as JournalLimits
from kernelway.host.journal_records import Found, Record, find_journals, write_record
from kernelway.host.spill import Spill
from kernelway.host.tasks import to_the_end
from kernelway.protocol.link_framing import START
from kernelway.protocol.models import EndedKernel, EndedSession, KernelId, timestamp
from kernelway.transport import deadlines

log = logging.getLogger(__name__)

_FLUSH = 5.0
"""Seconds that the disk gets to take what is left when the host ends."""

_FLUSH_IN_TROUBLE = 0.5
"""Seconds it gets where it did not take anything before."""

_STOPPED = "The host that ran it was stopped."


@dataclass(slots=True)
class _Known:
    """A journal that has files, with what is told of its kernel."""

    journal: Journal
    files: JournalFiles
    record: Record
    saving: bool = False
    forgetting: asyncio.TimerHandle | None = None


class Journals:
    """All journals of a host, in folders of their kernels' ids; without a folder nothing is kept on disk.

    ``async with Journals(folder, limits) as journals``. At the end all that can be written is written.
    """

    def __init__(self, folder: Path | None, limits: JournalLimits) -> None:
        self._folder = folder
        self._limits = limits
        self._spill = None if folder is None else Spill(folder, retry=limits.retry)
        self._known: dict[KernelId, _Known] = {}
        self._in_memory: dict[KernelId, Journal] = {}

    async def __aenter__(self) -> Self:
        if self._folder is None or self._spill is None:
            return self
        found = await asyncio.to_thread(find_journals, self._folder, keep=self._limits.keep_ended)
        self._spill.start()
        for each in found:
            self._take(each, self._folder, self._spill)
        self._make_room()
        return self

    async def __aexit__(self, *_: object) -> None:
        for kernel_id in [*self._in_memory, *(each.record.id for each in self._running())]:
            self.end(kernel_id, reason=_STOPPED)
        for known in self._known.values():
            if known.forgetting is not None:
                known.forgetting.cancel()
        if self._spill is not None:
            # The thread outlives whoever does not wait for it, and the process with it.
            await to_the_end(self._finish(self._spill), name="the journals' end")

    async def _finish(self, spill: Spill) -> None:
        deadline = _FLUSH if spill.trouble is None else _FLUSH_IN_TROUBLE
        try:
            async with deadlines.timeout(deadline):
                for known in self._known.values():
                    await known.journal.written()
                await spill.idle()
        except TimeoutError:
            log.error("Not all of the journals in %s could be written.", self._folder)
        if not await spill.stop(deadline):
            log.error("The disk of the journals in %s does not answer.", self._folder)

    @property
    def trouble(self) -> str | None:
        """Why the disk cannot be written now, in a sentence; None where all is well."""
        return None if self._spill is None else self._spill.trouble

    # Kernels that run

    def open(self, kernel_id: KernelId, *, name: str, started: str) -> Journal:
        """The journal of a new kernel; ``name`` is its kernelspec's."""
        if self._folder is None or self._spill is None:
            journal = self._in_memory[kernel_id] = Journal(kernel_id, self._limits)
            return journal
        files = JournalFiles(self._folder / kernel_id, self._spill, self._limits, make_room=self._make_room)
        known = _Known(Journal(kernel_id, self._limits, files), files, Record(kernel_id, name, started))
        self._known[kernel_id] = known
        self._save(known)
        return known.journal

    def note_sessions(self, kernel_id: KernelId, sessions: list[EndedSession]) -> None:
        """Write down which sessions have a kernel now; cheap where they are the same as before."""
        known = self._known.get(kernel_id)
        if known is not None and known.record.ended is None and known.record.sessions != sessions:
            self._change(known, msgspec.structs.replace(known.record, sessions=list(sessions)))

    def end(self, kernel_id: KernelId, *, reason: str) -> None:
        """A kernel has ended, and why; what it said is kept for a while. Ending it twice is no error."""
        in_memory = self._in_memory.pop(kernel_id, None)
        if in_memory is not None:
            in_memory.end()
        known = self._known.get(kernel_id)
        if known is None or known.record.ended is not None:
            return
        known.journal.end()
        if known.journal.newest == START:
            self._forget(kernel_id)
            return
        record = msgspec.structs.replace(
            known.record,
            ended=timestamp(datetime.now(UTC)),
            reason=reason,
            noted=time.time(),
            newest=known.journal.newest,
        )
        self._change(known, record)
        self._forget_later(known, self._limits.keep_ended)

    def _running(self) -> list[_Known]:
        return [known for known in self._known.values() if known.record.ended is None]

    # Kernels that have ended

    def ended(self) -> list[EndedKernel]:
        """The kernels whose journals are kept, the one that ended last first."""
        known = sorted(self._known.values(), key=lambda each: each.record.noted, reverse=True)
        return [model for each in known if (model := _model(each)) is not None]

    def find_ended(self, kernel_id: KernelId) -> tuple[Journal, EndedKernel] | None:
        """The journal of a kernel that has ended; None where none is kept."""
        known = self._known.get(kernel_id)
        model = None if known is None else _model(known)
        return None if known is None or model is None else (known.journal, model)

    def _take(self, found: Found, folder: Path, spill: Spill) -> None:
        record = found.record
        files = JournalFiles(
            folder / record.id, spill, self._limits, make_room=self._make_room, segments=found.segments
        )
        journal = Journal(record.id, self._limits, files, newest=record.newest)
        journal.end()
        known = self._known[record.id] = _Known(journal, files, record)
        self._forget_later(known, record.noted + self._limits.keep_ended - time.time())

    def _forget_later(self, known: _Known, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        known.forgetting = loop.call_later(max(0.0, seconds), self._forget, known.record.id)

    def _forget(self, kernel_id: KernelId) -> None:
        self._known.pop(kernel_id).files.drop_all()

    # Files

    def _make_room(self) -> None:
        size = sum(known.files.size for known in self._known.values())
        while size > self._limits.per_host:
            oldest = min(
                (known.files for known in self._known.values() if known.files.oldest_touched is not None),
                key=lambda files: files.oldest_touched or 0.0,
                default=None,
            )
            if oldest is None:
                return
            size -= oldest.segments[0].size
            oldest.drop_oldest()

    def _change(self, known: _Known, record: Record) -> None:
        known.record = record
        self._save(known)

    def _save(self, known: _Known) -> None:
        if known.saving or self._spill is None:
            return
        known.saving = True
        record, files = known.record, known.files

        def work() -> Callable[[], None]:
            if not files.dropped:
                write_record(files.folder, record)
            return lambda: self._saved(known, record)

        self._spill.do(work)

    def _saved(self, known: _Known, record: Record) -> None:
        known.saving = False
        if known.record is not record:
            self._save(known)


def _model(known: _Known) -> EndedKernel | None:
    record = known.record
    if record.ended is None:
        return None
    return EndedKernel(
        id=record.id,
        name=record.name,
        started=record.started,
        ended=record.ended,
        reason=record.reason,
        size=known.journal.size,
        sessions=record.sessions,
    )
