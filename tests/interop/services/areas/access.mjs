// Tokens, unknown ids and the base URL. The library reads the status of every answer, and the body of an
// error as JSON with a message.

import assert from 'node:assert/strict';

import { KernelAPI, ServerConnection, SessionAPI } from '@jupyterlab/services';
import WebSocket from 'ws';

import { withKernel } from '../kernel.mjs';
import { within } from '../scenario.mjs';

const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';
const UNAUTHORIZED = [401, 403];

export async function scenarios({ client, scenario }) {
  const { settings } = client;
  const { baseUrl, wsUrl, token } = settings;

  await scenario('an unknown kernel is not found', async () => {
    assert.equal(await KernelAPI.getKernelModel(UNKNOWN_ID, settings), undefined);
    await isRefused(KernelAPI.restartKernel(UNKNOWN_ID, settings), [404]);
    await isRefused(KernelAPI.interruptKernel(UNKNOWN_ID, settings), [404]);
    await KernelAPI.shutdownKernel(UNKNOWN_ID, settings); // a 404 is taken for success
  });

  await scenario('an unknown session is not found', async () => {
    await isRefused(SessionAPI.getSessionModel(UNKNOWN_ID, settings), [404]);
    await isRefused(SessionAPI.updateSession({ id: UNKNOWN_ID, name: 'x' }, settings), [404]);
    await SessionAPI.shutdownSession(UNKNOWN_ID, settings); // a 404 with a JSON body is taken for success
  });

  await scenario('the channels of an unknown kernel are not found', async () => {
    const url = `${wsUrl}api/kernels/${UNKNOWN_ID}/channels?session_id=s&token=${token}`;
    assert.equal(await handshakeStatus(url), 404);
  });

  await scenario('an unknown kernelspec is an error with a message', () =>
    isRefused(KernelAPI.startNew({ name: 'no-such-kernel' }, settings), [400, 404, 500])
  );

  await scenario('the token is taken from the URL and from both kinds of Authorization header', async () => {
    const url = `${baseUrl}api/kernels`;
    const answers = [
      await fetch(`${url}?token=${token}`),
      await fetch(url, { headers: { Authorization: `token ${token}` } }),
      await fetch(url, { headers: { Authorization: `Bearer ${token}` } })
    ];
    assert.deepEqual(
      answers.map(answer => answer.status),
      [200, 200, 200]
    );
  });

  await scenario('requests without the right token are refused', async () => {
    const wrong = ServerConnection.makeSettings({ baseUrl, token: 'wrong' });
    await isRefused(KernelAPI.listRunning(wrong), UNAUTHORIZED);
    await isRefused(KernelAPI.startNew({}, wrong), UNAUTHORIZED);
    await isRefused(SessionAPI.listRunning(wrong), UNAUTHORIZED);
    const without = await fetch(`${baseUrl}api/kernels`);
    assert.ok(UNAUTHORIZED.includes(without.status));
  });

  await scenario('channels without the right token are refused', () =>
    withKernel(client, async kernel => {
      const url = `${wsUrl}api/kernels/${kernel.id}/channels?session_id=s`;
      const header = { Authorization: `token ${token}` };
      assert.ok(UNAUTHORIZED.includes(await handshakeStatus(url)));
      assert.ok(UNAUTHORIZED.includes(await handshakeStatus(`${url}&token=wrong`)));
      assert.equal(await handshakeStatus(`${url}&token=${token}`), 101);
      assert.equal(await handshakeStatus(url, header), 101);
    })
  );

  await scenario('there is nothing outside the base URL', async () => {
    const { origin, pathname } = new URL(baseUrl);
    if (pathname === '/') {
      return 'the base URL is /';
    }
    const answer = await fetch(`${origin}/api/kernels?token=${token}`);
    assert.equal(answer.status, 404);
  });
}

// The library makes its error out of the status and the message in the body.
async function isRefused(request, statuses) {
  await assert.rejects(request, error => {
    assert.ok(error instanceof ServerConnection.ResponseError, `${error}`);
    assert.ok(statuses.includes(error.response.status), `the status is ${error.response.status}`);
    assert.ok(!error.message.startsWith('Invalid response'), 'the error has no message of its own');
    return true;
  });
}

// The HTTP status of a WebSocket handshake: 101 if the server agreed (the socket is closed at once).
function handshakeStatus(url, headers = {}) {
  const socket = new WebSocket(url, { headers });
  const status = new Promise((resolve, reject) => {
    socket.once('upgrade', response => resolve(response.statusCode));
    socket.once('unexpected-response', (request, response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    socket.on('error', reject); // stays, since destroying the request reports an error as well
    socket.once('open', () => socket.close());
  });
  return within(`the handshake with ${url.replace(/token=.*/, 'token=…')}`, status);
}
