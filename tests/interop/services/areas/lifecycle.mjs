// Interrupt, restart, death and lost connections, as the person in front of the notebook sees them.

import assert from 'node:assert/strict';

import { connected, recordStatus, run, status, staysAlive, text, withKernel } from '../kernel.mjs';
import { emitted, within } from '../scenario.mjs';

const LOOP = `
import time

print("looping", end="", flush=True)
while True:
    time.sleep(0.01)
`;

export async function scenarios({ client, scenario }) {
  await withKernel(client, async kernel => {
    await scenario('an interrupt ends a sleeping loop', async () => {
      const looping = loopBegins(kernel);
      const execution = run(kernel, LOOP);
      await looping;
      await within('the interrupt', kernel.interrupt());
      const { reply, iopub } = await execution;
      assert.equal(reply.status, 'error');
      assert.equal(reply.ename, 'KeyboardInterrupt');
      assert.ok(iopub.some(({ type, content }) => type === 'error' && content.ename === 'KeyboardInterrupt'));
      await staysAlive(kernel);
    });

    await scenario('reconnecting keeps the kernel and its variables', async () => {
      await run(kernel, 'kept = "still here"');
      await within('the reconnection', kernel.reconnect());
      assert.equal(kernel.connectionStatus, 'connected');
      const { iopub } = await run(kernel, 'print(kept)');
      assert.equal(text(iopub), 'still here\n');
      await staysAlive(kernel);
    });

    await scenario('code that was running during a reconnection is answered', async () => {
      // The socket of the same session_id replaces the old one: the reply goes to the new.
      const asked = emitted('the question', kernel.anyMessage, ({ msg }) => msg.channel === 'stdin');
      let question;
      const execution = run(kernel, 'print("answer:", input())', {
        onStdin: message => {
          question = message;
        }
      });
      await asked;
      await within('the reconnection', kernel.reconnect());
      kernel.sendInputReply({ status: 'ok', value: 'late' }, question.header);
      const { reply, iopub } = await execution;
      assert.equal(reply.status, 'ok');
      assert.equal(text(iopub), 'answer: late\n');
    });

    await scenario('a socket that breaks is opened again', async () => {
      const lost = emitted('the loss', kernel.connectionStatusChanged, status => status === 'connecting');
      client.sockets.findLast(({ url }) => url.includes(kernel.clientId)).terminate(); // no close frame
      await lost;
      await connected(kernel);
      const { iopub } = await run(kernel, 'print(kept)');
      assert.equal(text(iopub), 'still here\n');
      await staysAlive(kernel);
    });

    await scenario('a restart goes from restarting to idle, on a new kernel', async () => {
      await run(kernel, 'forgotten = 1');
      kernel.seen.length = 0;
      await within('the restart', kernel.restart());
      await status(kernel, 'idle');
      assert.equal(kernel.seen[0], 'restarting');
      // The library takes a `restarting` from the server for the news of a crash, and tells the user so.
      assert.ok(!kernel.seen.includes('autorestarting'), 'the restart was taken for a crash');
      const { reply } = await run(kernel, 'forgotten');
      assert.equal(reply.ename, 'NameError');
      assert.equal(reply.execution_count, 1);
      const { iopub } = await run(kernel, 'print("after the restart")');
      assert.equal(text(iopub), 'after the restart\n');
      await staysAlive(kernel);
      return kernel.seen;
    });

    await scenario('a restart in the middle of an execution ends it', async () => {
      const looping = loopBegins(kernel);
      const future = kernel.requestExecute({ code: LOOP });
      await looping;
      await within('the restart', kernel.restart());
      await assert.rejects(future.done, /Canceled future/);
      const { reply } = await run(kernel, '1');
      assert.equal(reply.execution_count, 1);
      await staysAlive(kernel);
    });

    await scenario('another connection to a restarted kernel goes on as well', async () => {
      const second = client.kernels.connectTo({ model: kernel.model });
      await connected(second);
      await status(second, 'idle');
      second.seen = recordStatus(second);
      await within('the restart', kernel.restart());
      await run(kernel, 'fresh = "visible to both"');
      const { iopub } = await run(second, 'print(fresh)');
      assert.equal(text(iopub), 'visible to both\n');
      assert.ok(!second.seen.includes('autorestarting'), 'the restart was taken for a crash');
      await staysAlive(second);
      second.dispose();
    });

    await scenario(
      'a kernel that dies is started again, and the client is told so',
      async () => {
        kernel.seen.length = 0;
        const again = emitted('autorestarting', kernel.statusChanged, status => status === 'autorestarting');
        kernel.requestExecute({ code: 'import os; os._exit(1)' });
        await again;
        await status(kernel, 'idle');
        const { reply } = await run(kernel, '1');
        assert.equal(reply.execution_count, 1);
        await staysAlive(kernel);
        return kernel.seen;
      },
      { seconds: 60 }
    );
  });
}

function loopBegins(kernel) {
  return emitted('the loop to begin', kernel.iopubMessage, ({ content }) => content.text === 'looping');
}
