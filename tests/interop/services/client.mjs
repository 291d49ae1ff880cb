// The client as an application builds it: one settings object, and the managers on top of it.

import assert from 'node:assert/strict';

import {
  KernelAPI,
  KernelManager,
  ServerConnection,
  SessionAPI,
  SessionManager
} from '@jupyterlab/services';
import WebSocket from 'ws';

import { within } from './scenario.mjs';

// After a connection opens, the library asks for kernel_info and holds every other message back until the
// reply and its idle status are in, or until three seconds have passed. Longer than any deadline here, so
// that a server which loses that first reply or status fails, and does not merely look slow.
const KERNEL_INFO_TIMEOUT_MS = 600_000;

export function connectClient({ baseUrl, token, protocol, tokenPlacement }) {
  assert.ok(['v1', 'default'].includes(protocol), `unknown protocol ${protocol}`);
  assert.ok(['url', 'header'].includes(tokenPlacement), `unknown token placement ${tokenPlacement}`);
  const sockets = [];

  class ClientWebSocket extends WebSocket {
    constructor(url, subprotocols) {
      const headers = tokenPlacement === 'header' ? { Authorization: `token ${token}` } : {};
      super(url, protocol === 'v1' ? subprotocols : [], { headers });
      this.once('open', () => sockets.push(this));
    }
  }

  const settings = ServerConnection.makeSettings({
    baseUrl,
    token, // REST requests always carry it in the Authorization header
    appendToken: tokenPlacement === 'url', // WebSocket requests carry it in their URL if told so
    WebSocket: ClientWebSocket
  });
  const kernels = new KernelManager({ serverSettings: settings });
  kernels.kernelInfoTimeout = KERNEL_INFO_TIMEOUT_MS;
  const sessions = new SessionManager({ serverSettings: settings, kernelManager: kernels });

  return {
    settings,
    protocol,
    kernels,
    sessions,
    sockets, // every WebSocket that has been open, oldest first

    async nothingIsLeft() {
      assert.deepEqual(await SessionAPI.listRunning(settings), []);
      assert.deepEqual(await KernelAPI.listRunning(settings), []);
    },

    // The library closes without a code and forgets the socket; `ws` waits 30 seconds for the answer.
    async close() {
      sessions.dispose();
      kernels.dispose();
      const closing = sockets.filter(socket => socket.readyState !== WebSocket.CLOSED);
      await within(
        `the server to answer the close frame of ${closing.length} sockets`,
        Promise.all(closing.map(socket => new Promise(resolve => socket.once('close', resolve)))),
        10
      );
      return { opened: sockets.length, stillClosing: closing.length };
    }
  };
}
