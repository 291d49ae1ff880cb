// What most scenarios do with a kernel: start one, run code on it, look at its status, end it.

import assert from 'node:assert/strict';

import { KernelAPI } from '@jupyterlab/services';

import { emitted, within } from './scenario.mjs';

// Starts a kernel, passes its connection to `body`, shuts it down whatever happened, and checks on the way
// what the user of an application would have seen in the status bar: `kernel.seen` lists every status.
export async function withKernel(client, body) {
  const kernel = await within('a kernel to start', client.kernels.startNew({ name: 'python3' }));
  kernel.seen = recordStatus(kernel);
  try {
    await status(kernel, 'idle');
    const result = await body(kernel);
    await staysAlive(kernel);
    return result;
  } finally {
    await KernelAPI.shutdownKernel(kernel.id, client.settings);
    kernel.dispose();
  }
}

export function recordStatus(kernel) {
  const seen = [kernel.status];
  kernel.statusChanged.connect((_kernel, status) => seen.push(status));
  return seen;
}

// The library says 'unknown' whenever it has no connection, so it may come, but it must go again. From 'dead'
// it never returns.
export async function staysAlive(kernel) {
  await status(kernel, 'idle');
  assert.equal(kernel.connectionStatus, 'connected');
  assert.ok(!kernel.seen.includes('dead'), `the kernel was seen dead: ${kernel.seen}`);
}

export async function status(kernel, wanted) {
  if (kernel.status !== wanted) {
    const what = `status ${wanted} of kernel ${kernel.id} (${kernel.status}, ${kernel.connectionStatus})`;
    await emitted(what, kernel.statusChanged, status => status === wanted);
  }
}

export async function connected(kernel) {
  if (kernel.connectionStatus !== 'connected') {
    const what = `a connection to kernel ${kernel.id}`;
    await emitted(what, kernel.connectionStatusChanged, status => status === 'connected');
  }
}

// Runs code to its end. Returns the content of the reply, and the iopub messages in the order they came:
// [{type, content}], the busy and idle statuses among them.
export async function run(kernel, code, { onStdin, ...request } = {}) {
  const future = kernel.requestExecute({ code, ...request });
  const iopub = [];
  future.onIOPub = message => {
    iopub.push({ type: message.header.msg_type, content: message.content });
  };
  if (onStdin) {
    future.onStdin = onStdin;
  }
  const reply = await within(`the end of ${JSON.stringify(code)}`, future.done);
  return { reply: reply.content, iopub };
}

export function text(iopub, name = 'stdout') {
  const streams = iopub.filter(({ type, content }) => type === 'stream' && content.name === name);
  return streams.map(({ content }) => content.text).join('');
}
