// Holds a kernel connection while somebody breaks what it goes over, and counts what comes.
//
//   node resume.mjs --base-url http://127.0.0.1:8888/ --token secret --protocol v1 --token-placement url \
//                   --lines 300
//
// A kernel prints numbers, and while it does another request waits behind that. Standard output carries
// {progress} for each fifty numbers, for whoever breaks things, and {scenario, ok, detail} as in run.mjs.

import assert from 'node:assert/strict';
import { Console } from 'node:console';
import { parseArgs } from 'node:util';

import { connectClient } from './client.mjs';
import { status, withKernel } from './kernel.mjs';
import { reporter, within } from './scenario.mjs';

globalThis.console = new Console(process.stderr, process.stderr);

const { values: options } = parseArgs({
  options: {
    'base-url': { type: 'string' },
    token: { type: 'string' },
    protocol: { type: 'string' },
    'token-placement': { type: 'string' },
    lines: { type: 'string' }
  }
});

const lines = Number(options.lines);

const CODE = `
import time
for i in range(${lines}):
    print(i, flush=True)
    time.sleep(0.01)
`;

const { scenario, failures } = reporter();
const client = connectClient({
  baseUrl: options['base-url'],
  token: options.token,
  protocol: options.protocol,
  tokenPlacement: options['token-placement']
});

await scenario(
  'the futures of running executions complete',
  () =>
    withKernel(client, async kernel => {
      const numbers = [];
      const states = [];
      kernel.connectionStatusChanged.connect((_kernel, state) => states.push(state));

      const printing = kernel.requestExecute({ code: CODE });
      printing.onIOPub = ({ header, content }) => {
        if (header.msg_type !== 'stream') {
          return;
        }
        for (const line of content.text.trim().split('\n')) {
          numbers.push(Number(line));
          if (Number(line) % 50 === 0) {
            process.stdout.write(`${JSON.stringify({ progress: Number(line) })}\n`);
          }
        }
      };
      const waiting = kernel.requestExecute({ code: 'i + 1' });
      let value;
      waiting.onIOPub = ({ header, content }) => {
        if (header.msg_type === 'execute_result') {
          value = content.data['text/plain'];
        }
      };

      const [printed, waited] = await within('both replies', Promise.all([printing.done, waiting.done]), 60);
      assert.equal(printed.content.status, 'ok');
      assert.equal(waited.content.status, 'ok');
      assert.equal(value, `${lines}`);
      await status(kernel, 'idle');

      const distinct = [...new Set(numbers)];
      assert.deepEqual(
        distinct,
        Array.from({ length: lines }, (_, number) => number)
      );
      return { lines: distinct.length, repeats: numbers.length - distinct.length, states };
    }),
  { seconds: 100 }
);
await scenario('every WebSocket that is still open is closed by both sides', () => client.close());

process.exit(failures() > 0 ? 1 : 0);
