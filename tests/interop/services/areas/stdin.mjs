import assert from 'node:assert/strict';

import { connected, run, status, text, withKernel } from '../kernel.mjs';

export async function scenarios({ client, scenario }) {
  await withKernel(client, async kernel => {
    // Answers every input request with `value`; returns the requests as well.
    async function runAndAnswer(code, value) {
      const requests = [];
      const result = await run(kernel, code, {
        onStdin: message => {
          requests.push({ type: message.header.msg_type, ...message.content });
          kernel.sendInputReply({ status: 'ok', value }, message.header);
        }
      });
      return { ...result, requests };
    }

    await scenario('input() asks, and gets the answer', async () => {
      const pending = [];
      kernel.pendingInput.connect((_kernel, value) => pending.push(value));
      const { reply, iopub, requests } = await runAndAnswer('print(input("name? "))', 'Ana');
      assert.equal(reply.status, 'ok');
      assert.deepEqual(requests, [{ type: 'input_request', prompt: 'name? ', password: false }]);
      assert.equal(text(iopub), 'Ana\n');
      assert.ok(pending.includes(true), 'the client never saw that input was wanted');
    });

    await scenario('getpass() asks for a password', async () => {
      const code = 'import getpass; print(len(getpass.getpass("secret: ")))';
      const { iopub, requests } = await runAndAnswer(code, 'hush');
      assert.deepEqual(requests, [{ type: 'input_request', prompt: 'secret: ', password: true }]);
      assert.equal(text(iopub), '4\n');
    });

    await scenario('only the connection that runs the code is asked', async () => {
      const second = client.kernels.connectTo({ model: kernel.model });
      await connected(second);
      await status(second, 'idle');
      const channels = new Set();
      second.anyMessage.connect((_second, { msg }) => channels.add(msg.channel));
      await runAndAnswer('input()', '');
      await run(second, 'None'); // whatever was meant for the second connection has come before this reply
      assert.ok(!channels.has('stdin'));
      second.dispose();
    });

    await scenario('code that may not ask gets an error', async () => {
      const { reply } = await run(kernel, 'input()', { allow_stdin: false });
      assert.equal(reply.status, 'error');
      assert.equal(reply.ename, 'StdinNotImplementedError');
    });
  });
}
