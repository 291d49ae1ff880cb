import assert from 'node:assert/strict';

import { run, withKernel } from '../kernel.mjs';
import { within } from '../scenario.mjs';

const ONE_TO_FOUR = `
import sys

print("one")
display("two")
print("three", file=sys.stderr)
"four"
`;

export async function scenarios({ client, scenario }) {
  await withKernel(client, async kernel => {
    await scenario('stream, display and result arrive in the order they were made', async () => {
      const { reply, iopub } = await run(kernel, ONE_TO_FOUR);
      const outline = iopub.map(({ type, content }) => [
        type,
        content.execution_state ?? content.text ?? content.data?.['text/plain'] ?? ''
      ]);
      assert.deepEqual(outline, [
        ['status', 'busy'],
        ['execute_input', ''],
        ['stream', 'one\n'],
        ['display_data', "'two'"],
        ['stream', 'three\n'],
        ['execute_result', "'four'"],
        ['status', 'idle']
      ]);
      assert.equal(reply.status, 'ok');
    });

    await scenario('the execution count is the same everywhere and grows by one', async () => {
      const first = await run(kernel, '1');
      const second = await run(kernel, '2');
      const counts = second.iopub
        .filter(({ type }) => type === 'execute_input' || type === 'execute_result')
        .map(({ content }) => content.execution_count);
      const expected = first.reply.execution_count + 1;
      assert.deepEqual([second.reply.execution_count, ...counts], [expected, expected, expected]);
    });

    await scenario('an error comes as an output and as the reply', async () => {
      const { reply, iopub } = await run(kernel, '1 / 0');
      const [{ content: error }] = iopub.filter(({ type }) => type === 'error');
      assert.equal(reply.status, 'error');
      for (const { ename, evalue, traceback } of [reply, error]) {
        assert.equal(ename, 'ZeroDivisionError');
        assert.equal(evalue, 'division by zero');
        assert.ok(Array.isArray(traceback) && traceback.length > 0);
      }
    });

    await scenario('a display is updated by its id', async () => {
      const { iopub } = await run(kernel, 'h = display("before", display_id="d"); h.update("after")');
      const displays = iopub.filter(({ type }) => type.endsWith('display_data'));
      assert.deepEqual(
        displays.map(({ type, content }) => [type, content.data['text/plain']]),
        [
          ['display_data', "'before'"],
          ['update_display_data', "'after'"]
        ]
      );
    });

    await scenario('text outside ASCII and large output arrive whole', async () => {
      const { reply, iopub } = await run(kernel, 'print("žluťoučký 🐎"); display("x" * 3_000_000)');
      assert.equal(reply.status, 'ok');
      const [stream] = iopub.filter(({ type }) => type === 'stream');
      assert.equal(stream.content.text, 'žluťoučký 🐎\n');
      const [display] = iopub.filter(({ type }) => type === 'display_data');
      assert.equal(display.content.data['text/plain'].length, 3_000_002);
    });

    await scenario('requests sent together are answered in order', async () => {
      const futures = [1, 2, 3, 4, 5].map(n => kernel.requestExecute({ code: `${n}` }));
      const replies = await within('five replies', Promise.all(futures.map(future => future.done)));
      const counts = replies.map(reply => reply.content.execution_count);
      assert.deepEqual(
        counts,
        counts.map((_, index) => counts[0] + index)
      );
    });

    await scenario('complete', async () => {
      const { content } = await within(
        'completions',
        kernel.requestComplete({ code: 'import sys; sys.exec', cursor_pos: 20 })
      );
      assert.equal(content.status, 'ok');
      assert.ok(
        content.matches.some(match => match.endsWith('executable')),
        `matches are ${content.matches}`
      );
      assert.equal(content.cursor_end, 20);
    });

    await scenario('inspect', async () => {
      const { content } = await within(
        'documentation',
        kernel.requestInspect({ code: 'sorted', cursor_pos: 6, detail_level: 0 })
      );
      assert.equal(content.found, true);
      assert.match(content.data['text/plain'], /ascending order/);
    });

    await scenario('is_complete', async () => {
      for (const [code, expected] of [
        ['1 + 1', 'complete'],
        ['for i in range(3):', 'incomplete'],
        ['1 +* 1', 'invalid']
      ]) {
        const { content } = await within(`is_complete of ${code}`, kernel.requestIsComplete({ code }));
        assert.equal(content.status, expected, code);
      }
    });

    await scenario('history', async () => {
      await run(kernel, '"to be remembered"');
      const { content } = await within(
        'history',
        kernel.requestHistory({
          output: false,
          raw: true,
          hist_access_type: 'range',
          session: 0, // the running one
          start: 1,
          stop: 1000
        })
      );
      const inputs = content.history.map(([_session, _line, input]) => input);
      assert.equal(inputs.at(-1), '"to be remembered"');
    });
  });
}
