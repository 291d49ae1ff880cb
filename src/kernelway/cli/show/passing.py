"""Outputs of ``exec`` in a pipe: what the code printed, as it came, and values as text."""

from __future__ import annotations

from typing import TextIO

from kernelway.cli.show.layout import Entries, Layout
from kernelway.cli.show.paint import Paint
from kernelway.cli.show.pictures import AttachmentFolder
from kernelway.cli.show.transcript import Transcript, text_of_lost
from kernelway.cli.show.view import Beginning
from kernelway.cli.show.writer import Writer
from kernelway.protocol.execution import Clear, Error, ExecuteReply, Lost, Output, Stream


class PassingView:
    """Writes streams to where the code wrote them, values to stdout and tracebacks to stderr."""

    def __init__(self, stdout: Writer, stderr: Writer, folder: AttachmentFolder, *, notes: TextIO) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._entries = Entries(folder, Layout(paint=Paint(colours=False), columns=None, gutter=False))
        self._layout = Layout(paint=Paint(colours=False), columns=None, gutter=False)
        self._notes = notes

    def begin(self, piece: Beginning) -> None:
        """The code is not shown."""

    async def receive(self, output: Output) -> None:
        """Write an output."""
        match output:
            case Stream(name=name, text=text):
                (self._stderr if name == "stderr" else self._stdout).write(text)
            case Clear():
                # What is written stays.
                pass
            case Lost():
                self.note(text_of_lost(output))
            case _:
                self._write_entry(output)
        await self._stdout.drain()
        await self._stderr.drain()

    def end(self, reply: ExecuteReply | None) -> None:
        """Everything is written already."""

    def ask(self, prompt: str) -> None:
        """Nobody can be asked here."""

    def answered(self, text: str | None) -> None:
        """Nobody was asked."""

    def note(self, text: str) -> None:
        """Write it where errors go."""
        print(text, file=self._notes, flush=True)

    def _write_entry(self, output: Output) -> None:
        transcript = Transcript()
        transcript.receive(output)
        writer = self._stderr if isinstance(output, Error) else self._stdout
        for entry in transcript.entries:
            rows = self._layout.output(self._entries.lines(entry))
            writer.write("".join(f"{row}\n" for row in rows))
