// Drives one Jupyter server the way Hydrogen did, with its own library: @jupyterlab/services 0.52.0 of 2018.
//
//   node run.mjs --base-url http://127.0.0.1:8888 --token secret
//
// This library knows the default WebSocket protocol only, puts the token into the URL of the WebSocket and
// into the header of REST requests, sends message headers without a date, and answers input requests
// without a parent header. Output and exit status are those of ../services/run.mjs.

import assert from 'node:assert/strict';
import { Console } from 'node:console';
import { parseArgs } from 'node:util';

import services from '@jupyterlab/services';
import WebSocket from 'ws';
import xmlhttprequest from 'xmlhttprequest';

import { emitted, reporter, within } from '../services/scenario.mjs';

const { Kernel, ServerConnection, Session } = services;

globalThis.console = new Console(process.stderr, process.stderr);

const { values: options } = parseArgs({
  options: { 'base-url': { type: 'string' }, token: { type: 'string' } }
});

const LOOP = `
import time

print("looping", end="", flush=True)
while True:
    time.sleep(0.01)
`;

const sockets = [];

// A gateway as it stood in Hydrogen's settings, which had no slash at the end of baseUrl.
function gateway({ token }) {
  return ServerConnection.makeSettings({
    baseUrl: options['base-url'].replace(/\/$/, ''),
    token,
    xhrFactory: () => new xmlhttprequest.XMLHttpRequest(),
    wsFactory: (url, protocol) => {
      const socket = new WebSocket(url, protocol);
      sockets.push(socket);
      return socket;
    }
  });
}

const { scenario, failures } = reporter();
await scenario('the whole program ran', () => scenarios(gateway({ token: options.token })), { seconds: 300 });
process.exit(failures() > 0 ? 1 : 0);

async function scenarios(serverSettings) {
  // Hydrogen names a session after the file on the user's machine, which the server does not have.
  const path = '/home/ana/projects/analysis.py-4b1c2f80-7d0f-4a2e-9df3-0d1c2b3a4f5e';
  const seen = [];
  let session;

  await scenario('a wrong token is an error whose body Hydrogen can show', async () => {
    await assert.rejects(Kernel.getSpecs(gateway({ token: 'wrong' })), error => {
      assert.ok([401, 403].includes(error.xhr.status));
      assert.ok(JSON.parse(error.xhr.responseText).message);
      return true;
    });
  });

  await scenario('kernelspecs are listed', async () => {
    const models = await Kernel.getSpecs(serverSettings);
    assert.ok(models.default in models.kernelspecs);
    assert.equal(models.kernelspecs.python3.language, 'python');
  });

  await scenario('there are no sessions yet', async () => {
    assert.deepEqual(await Session.listRunning(serverSettings), []);
  });

  await scenario('a session starts, named after the file', async () => {
    session = await Session.startNew({ serverSettings, kernelName: 'python3', path });
    session.statusChanged.connect((_session, status) => seen.push(status));
    assert.equal(session.path, path);
    await within('kernel info', session.kernel.ready);
    await status(session, 'idle');
    assert.equal((await session.kernel.getSpec()).name, 'python3');
    return seen;
  });

  await scenario('1 + 1', async () => {
    const { reply, iopub } = await run(session, '1 + 1');
    assert.equal(reply.status, 'ok');
    assert.equal(iopub.find(({ type }) => type === 'execute_result').content.data['text/plain'], '2');
    assert.equal(iopub.at(-1).content.execution_state, 'idle');
  });

  await scenario('code sent before the connection is open is run', async () => {
    const early = await Session.startNew({ serverSettings, kernelName: 'python3', path: 'early.py' });
    const { iopub } = await run(early, 'print("early")');
    assert.equal(text(iopub), 'early\n');
    await early.shutdown();
  });

  await scenario('complete and inspect', async () => {
    const { kernel } = session;
    const completion = await within('matches', kernel.requestComplete({ code: 'import o', cursor_pos: 8 }));
    assert.ok(completion.content.matches.some(match => match.endsWith('os')));
    const request = { code: 'sorted', cursor_pos: 6, detail_level: 0 };
    const inspection = await within('documentation', kernel.requestInspect(request));
    assert.match(inspection.content.data['text/plain'], /ascending order/);
  });

  await scenario('input() asks, and gets the answer', async () => {
    const prompts = [];
    const { iopub } = await run(session, 'print(input("name? "))', message => {
      prompts.push(message.content.prompt);
      session.kernel.sendInputReply({ value: 'Ana' });
    });
    assert.deepEqual(prompts, ['name? ']);
    assert.equal(text(iopub), 'Ana\n');
  });

  await scenario('an existing session is found in the list and connected to', async () => {
    const [model, ...others] = await Session.listRunning(serverSettings);
    assert.deepEqual(others, []);
    assert.equal(model.path, path);
    const second = await Session.connectTo(model.id, serverSettings);
    await run(session, 'shared = 6 * 7');
    const { iopub } = await run(second, 'print(shared)');
    assert.equal(text(iopub), '42\n');
    second.dispose();
  });

  await scenario('a session is renamed', async () => {
    await session.setPath('renamed.py');
    const [model] = await Session.listRunning(serverSettings);
    assert.equal(model.path, 'renamed.py');
  });

  await scenario('an interrupt ends a sleeping loop', async () => {
    const isLooping = ({ content }) => content.text === 'looping';
    const looping = emitted('the loop to begin', session.iopubMessage, isLooping);
    const execution = run(session, LOOP);
    await looping;
    await within('the interrupt', session.kernel.interrupt());
    const { reply } = await execution;
    assert.equal(reply.ename, 'KeyboardInterrupt');
  });

  await scenario('a restart is followed by a status on the socket that was open before', async () => {
    // This library does not reconnect after a restart. It holds everything back until a status comes.
    const before = sockets.length;
    await within('the restart', session.kernel.restart());
    const { reply } = await run(session, 'shared');
    assert.equal(reply.ename, 'NameError');
    assert.equal(reply.execution_count, 1);
    await status(session, 'idle');
    assert.equal(sockets.length, before);
  });

  await scenario('a socket that breaks is opened again', async () => {
    const lost = emitted('the loss', session.statusChanged, value => value === 'reconnecting');
    sockets.find(({ url }) => url.includes(session.kernel.clientId)).terminate(); // no close frame
    await lost;
    const { iopub } = await run(session, 'print("again")');
    assert.equal(text(iopub), 'again\n');
    await status(session, 'idle');
  });

  await scenario('a session is shut down, and its kernel with it', async () => {
    assert.ok(!seen.includes('dead'), `the kernel was seen dead: ${seen}`);
    await within('the shutdown', session.shutdown());
    assert.ok(session.isDisposed);
    assert.equal(session.status, 'dead');
    assert.deepEqual(await Session.listRunning(serverSettings), []);
    assert.deepEqual(await Kernel.listRunning(serverSettings), []);
  });

  await scenario('shutting down a session that is gone is no error', async () => {
    await Session.shutdown(session.id, serverSettings); // a 404 with a JSON body is taken for success
  });
}

async function status(session, wanted) {
  if (session.status !== wanted) {
    await emitted(`status ${wanted} (${session.status})`, session.statusChanged, value => value === wanted);
  }
}

async function run(session, code, onStdin = () => {}) {
  const future = session.kernel.requestExecute({ code });
  const iopub = [];
  future.onIOPub = message => {
    iopub.push({ type: message.header.msg_type, content: message.content });
  };
  future.onStdin = onStdin;
  const reply = await within(`the end of ${JSON.stringify(code)}`, future.done);
  return { reply: reply.content, iopub };
}

function text(iopub) {
  const streams = iopub.filter(({ type }) => type === 'stream');
  return streams.map(({ content }) => content.text).join('');
}
