"""The journal as a state machine, against a plain list."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.host.journal_talk import DEADLINE, checked, frame_of, missing_in, output, read_all

from kernelway.host.journal import Journal, Kept
from kernelway.host.journals import JournalLimits, Journals
from kernelway.protocol.link_framing import FrameKind, Position, head_of
from kernelway.protocol.message import MessageId, SessionId
from kernelway.protocol.models import KernelId

LIMITS = JournalLimits(
    memory=4_000, waiting=20_000, segment=3_000, per_kernel=25_000, per_host=60_000, retry=0.01
)


@dataclass
class Model:
    """What was appended to one journal; position n is at n - 1."""

    frames: list[tuple[FrameKind, str, bytes]] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    """Positions that may never have reached the disk."""

    def check(self, told: list[Kept], oldest: int) -> None:
        for each in told:
            if each.kind is not FrameKind.HOLE:
                assert (each.kind, each.session, each.frame) == self.frames[each.position - 1]
        assert missing_in(told) <= self.lost | set(range(1, oldest))


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.place = Path(tempfile.mkdtemp(prefix="kwt-journals-"))
        self.folder = self.place / "journals"
        self.ended: dict[KernelId, Model] = {}
        self.count = 0
        self.failing = False

    @initialize()
    def begin(self) -> None:
        self.runner.run(self._start())

    async def _start(self) -> None:
        self.journals = await Journals(self.folder, LIMITS).__aenter__()
        self._open()

    def _open(self) -> None:
        self.count += 1
        self.journal = self.journals.open(KernelId(f"kernel-{self.count}"), name="python3", started="now")
        self.model = Model()

    def teardown(self) -> None:
        if self.failing:
            self.the_disk_recovers()
        with contextlib.suppress(AttributeError):
            self.runner.run(self.journals.__aexit__())
        self.runner.close()
        shutil.rmtree(self.place)

    @rule(
        count=st.integers(1, 30),
        size=st.sampled_from([0, 10, 300, 5_000, 30_000]),
        session=st.sampled_from(["", "one", "ø\ud800"]),
        kind=st.sampled_from([FrameKind.MESSAGE, FrameKind.KEPT_REQUEST]),
    )
    def append(self, count: int, size: int, session: str, kind: FrameKind) -> None:
        async def work() -> None:
            for _ in range(count if size < 5_000 else 1):
                message = output(self.journal.newest + 1, size)
                position = self.journal.append(message, kind=kind, session=SessionId(session))
                assert position == len(self.model.frames) + 1
                frame = kind.to_bytes() + frame_of(position, message)[1:]
                self.model.frames.append((kind, session, frame))

        sent = self.journal._sent
        self.runner.run(work())
        self._expect_loss(sent)

    def _expect_loss(self, sent: int) -> None:
        # The loop may not have turned in between, so that even a sound disk has had no chance.
        waiting = 0
        for position in range(self.journal.newest, 0, -1):
            waiting += len(self.model.frames[position - 1][2]) + 256
            if waiting > LIMITS.waiting and sent < position < self.journal.newest:
                self.model.lost.add(position)

    @rule()
    @precondition(lambda self: not self.failing)
    def write(self) -> None:
        self.runner.run(self._written())

    async def _written(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self.journal.written()
            assert self.journals._spill is not None
            await self.journals._spill.idle()

    @rule(share=st.floats(0, 1), limit=st.sampled_from([1, 1_000, 10_000, 1_000_000]))
    @precondition(lambda self: not self.failing)
    def read(self, share: float, limit: int) -> None:
        after = Position(int(share * self.journal.newest))
        told = self.runner.run(read_all(self.journal, after, limit=limit))
        self.model.check(told, self.journal.oldest)

    @rule(share=st.floats(0, 1))
    def read_from_memory(self, share: float) -> None:
        after = Position(int(share * self.journal.newest))
        kept = self.journal.recent(after, limit=5_000)
        if kept is not None:
            checked(kept, after)
            self.model.check(list(kept), 1)
        else:
            assert after < self.journal.newest

    @rule(share=st.floats(0, 1))
    @precondition(lambda self: self.model.frames and not self.failing)
    def find(self, share: float) -> None:
        position = 1 + int(share * (self.journal.newest - 1))
        found = self.runner.run(self.journal.position_of(MessageId(f"id-{position}")))
        assert found == position or (
            found is None and (position in self.model.lost or position < self.journal.oldest)
        )

    @rule()
    @precondition(lambda self: self.model.frames and not self.failing)
    def the_disk_fails(self) -> None:
        self.runner.run(self._written())
        if not self._kernels_folder.is_symlink():
            self._kernels_folder.rename(self._aside)
        self._lead_to(Path("/dev/null/nowhere"))
        self.failing = True

    @property
    def _aside(self) -> Path:
        return self.place / f"aside-{self.count}"

    def _lead_to(self, place: Path) -> None:
        # In one step: what is tried in between must find the one or the other.
        link = self.place / "link"
        link.symlink_to(place)
        link.replace(self._kernels_folder)

    @property
    def _kernels_folder(self) -> Path:
        return self.folder / f"kernel-{self.count}"

    @rule()
    @precondition(lambda self: self.failing)
    def read_meanwhile(self) -> None:
        self.runner.run(read_all(self.journal))

    @rule()
    @precondition(lambda self: self.failing)
    def the_disk_recovers(self) -> None:
        self._lead_to(self._aside)
        self.failing = False
        self.runner.run(self._written())

    @rule()
    @precondition(lambda self: not self.failing)
    def end(self) -> None:
        kernel_id = self.journal.kernel_id

        async def work() -> None:
            await self._written()
            self.journals.end(kernel_id, reason="It was told to.")

        self.runner.run(work())
        if self.model.frames:
            self.ended[kernel_id] = self.model
        self._open()

    @rule()
    @precondition(lambda self: not self.failing)
    def restart(self) -> None:
        kernel_id = self.journal.kernel_id

        async def work() -> None:
            await self._written()
            await self.journals.__aexit__()
            await self._start()

        model = self.model
        self.runner.run(work())
        if model.frames:
            self.ended[kernel_id] = model

    @rule()
    @precondition(lambda self: self.ended)
    def read_ended(self) -> None:
        assert {each.id for each in self.journals.ended()} == set(self.ended)
        for kernel_id, model in self.ended.items():
            found = self.journals.find_ended(kernel_id)
            assert found is not None
            journal, _ = found
            assert journal.ended
            assert journal.newest == len(model.frames)
            model.check(self.runner.run(read_all(journal)), journal.oldest)

    @rule(share=st.floats(0, 1), harm=st.sampled_from(["none", "cut", "flip"]), which=st.floats(0, 1))
    @precondition(lambda self: self.model.frames and not self.failing)
    def the_host_is_killed(self, share: float, harm: str, which: float) -> None:
        """A copy of the folder is what a host finds that starts after the other was killed."""
        self.runner.run(self._written())
        copy = self.place / "copy"
        shutil.copytree(self.folder, copy)
        folder = copy / self.journal.kernel_id
        segments = sorted(folder.glob("*.journal"))
        segment = segments[-1] if harm == "cut" else segments[int(which * (len(segments) - 1))]
        content = bytearray(segment.read_bytes())
        index = int(share * (len(content) - 1))
        if harm == "cut":
            segment.write_bytes(content[:index])
        elif harm == "flip":
            content[index] ^= 0x55
            segment.write_bytes(content)
        oldest = self.journal.oldest
        self.runner.run(self._check_copy(copy, self.journal, oldest, harm))
        shutil.rmtree(copy)

    async def _check_copy(self, copy: Path, original: Journal, oldest: int, harm: str) -> None:
        whole = await read_all(original)
        async with Journals(copy, LIMITS) as journals:
            found = journals.find_ended(original.kernel_id)
            if found is None:
                assert harm != "none"
                return
            journal, kernel = found
            assert "killed" in kernel.reason
            told = await read_all(journal)
            for each in told:
                if each.kind is not FrameKind.HOLE:
                    assert (each.kind, each.session, each.frame) == self.model.frames[each.position - 1]
            missing = missing_in(told) - missing_in(whole) - set(range(1, oldest))
            kept = {each.position for each in told if each.kind is not FrameKind.HOLE}
            assert len(missing) <= (harm == "flip")
            if harm == "none":
                assert kept == {each.position for each in whole if each.kind is not FrameKind.HOLE}
            # What is cut off comes before nothing that is kept.
            assert all(head_of(each.frame)[1] <= journal.newest + 1 for each in told)

    @invariant()
    def bounds_hold(self) -> None:
        if not hasattr(self, "journal"):
            return
        assert self.journal.newest == len(self.model.frames)
        assert self.journal.oldest <= self.journal.newest + 1
        # A message alone may be larger than every bound.
        assert self.journal.size <= max(LIMITS.per_kernel, 31_000)


Machine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestJournalAgainstAList = Machine.TestCase
