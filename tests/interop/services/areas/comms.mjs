// Comms carry the binary buffers of widgets, in both directions. By default the library has the kernel open a
// subshell for each comm target, on the control channel, and sends the comm's messages there.

import assert from 'node:assert/strict';

import { CommsOverSubshells } from '@jupyterlab/services';

import { run, withKernel } from '../kernel.mjs';
import { within } from '../scenario.mjs';

const ECHO_TARGET = `
from comm import get_comm_manager

def echo(comm, open_message):
    @comm.on_msg
    def reply(message):
        buffers = [bytes(buffer) for buffer in message["buffers"]]
        comm.send(data=message["content"]["data"], buffers=buffers)

get_comm_manager().register_target("echo", echo)
`;

const OPEN_FROM_KERNEL = `
from comm import create_comm

comm = create_comm(
    target_name="from-kernel",
    data={"opened": True},
    buffers=[b"", bytes(range(256)), bytes(1_000_000)],
)
comm.send(data={"n": 1}, buffers=[b"one"])
comm.close()
`;

const MESSAGES = [
  ['no buffer', []],
  ['one buffer', [pattern(5)]],
  ['one empty buffer', [pattern(0)]],
  [
    'several buffers, two of them empty and one of a million bytes',
    [pattern(3), pattern(0), pattern(1_000_000), pattern(256), pattern(0)]
  ]
];

export async function scenarios({ client, scenario }) {
  await withKernel(client, async kernel => {
    await run(kernel, ECHO_TARGET);

    kernel.commsOverSubshells = CommsOverSubshells.Disabled;
    const plain = kernel.createComm('echo');

    await scenario('the client opens a comm on a target in the kernel', async () => {
      await within('the comm to be open', plain.open({ hello: 'kernel' }).done);
      assert.deepEqual(await openComms(kernel), [plain.commId]);
    });

    for (const [name, buffers] of MESSAGES) {
      await scenario(`a comm echoes a message with ${name}`, () => echo(plain, buffers));
    }

    await scenario('the client closes a comm', async () => {
      await within('the comm to be closed', plain.close().done);
      assert.deepEqual(await openComms(kernel), []);
    });

    kernel.commsOverSubshells = CommsOverSubshells.PerCommTarget;

    await scenario('a comm echoes its messages through a subshell', async () => {
      await within('kernel info', kernel.info);
      assert.ok(kernel.supportsSubshells, 'this kernel has no subshells');
      const comm = kernel.createComm('echo');
      await within('the subshell', comm.subshellStarted);
      assert.ok(comm.subshellId);
      await within('the comm to be open', comm.open().done);
      for (const [, buffers] of MESSAGES) {
        await echo(comm, buffers);
      }
      // Closing also deletes the subshell, on the control channel: either may reach the kernel first.
      comm.close();
    });

    await scenario('the kernel opens a comm, sends on it and closes it', async () => {
      const received = [];
      const receive = message => {
        received.push([message.content.data, message.buffers.map(bytes)]);
      };
      const closed = new Promise(resolve => {
        kernel.registerCommTarget('from-kernel', (comm, open) => {
          receive(open);
          comm.onMsg = receive;
          comm.onClose = resolve;
        });
      });
      const { reply } = await run(kernel, OPEN_FROM_KERNEL);
      assert.equal(reply.status, 'ok');
      await within('the comm to be closed by the kernel', closed);
      assert.deepEqual(received, [
        [{ opened: true }, [Buffer.alloc(0), Buffer.from(pattern(256)), Buffer.alloc(1_000_000)]],
        [{ n: 1 }, [Buffer.from('one')]]
      ]);
    });
  });
}

async function openComms(kernel) {
  const { content } = await within('comm info', kernel.requestCommInfo({ target_name: 'echo' }));
  return Object.keys(content.comms);
}

async function echo(comm, sent) {
  const echoed = new Promise(resolve => {
    comm.onMsg = resolve;
  });
  const data = { sizes: sent.map(buffer => buffer.byteLength) };
  await within('the message to be handled', comm.send(data, {}, sent).done);
  const message = await within('the echo', echoed);
  assert.deepEqual(message.content.data, data);
  assert.equal(message.buffers.length, sent.length);
  message.buffers.forEach((buffer, index) => {
    assert.ok(bytes(buffer).equals(Buffer.from(sent[index])), `buffer ${index} came back changed`);
  });
}

// An ArrayBuffer of its own, since the library sends the whole ArrayBuffer beneath a view.
function pattern(length) {
  return Uint8Array.from({ length }, (_, index) => index % 256).buffer;
}

function bytes(view) {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}
