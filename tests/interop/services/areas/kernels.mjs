import assert from 'node:assert/strict';

import { KernelAPI, ServerConnection } from '@jupyterlab/services';

import { connected, recordStatus, run, status, staysAlive } from '../kernel.mjs';
import { emitted, within } from '../scenario.mjs';

export async function scenarios({ client, scenario }) {
  const { settings, kernels } = client;
  let kernel;

  await scenario('a kernel starts', async () => {
    kernel = await kernels.startNew({ name: 'python3' });
    kernel.seen = recordStatus(kernel);
    assert.equal(kernel.name, 'python3');
    await connected(kernel);
    await status(kernel, 'idle');
    return kernel.seen;
  });

  await scenario('the server chose the protocol that the client offered', () => {
    const chosen = client.sockets.map(socket => socket.protocol);
    assert.deepEqual(chosen, [client.protocol === 'v1' ? 'v1.kernel.websocket.jupyter.org' : '']);
  });

  await scenario('the kernel model has every field', async () => {
    const model = await KernelAPI.getKernelModel(kernel.id, settings);
    assert.equal(model.id, kernel.id);
    assert.equal(model.name, 'python3');
    // The client's own requests keep it busy for moments.
    assert.ok(['idle', 'busy'].includes(model.execution_state), model.execution_state);
    assert.equal(model.connections, 1);
    assert.match(model.last_activity, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    return model;
  });

  await scenario('a created kernel has a location below the base URL', async () => {
    const response = await ServerConnection.makeRequest(
      `${settings.baseUrl}api/kernels`,
      { method: 'POST', body: '{}' }, // no name: the default kernelspec
      settings
    );
    assert.equal(response.status, 201);
    const { id } = await response.json();
    assert.equal(
      new URL(response.headers.get('location'), settings.baseUrl).href,
      `${settings.baseUrl}api/kernels/${id}`
    );
    await KernelAPI.shutdownKernel(id, settings);
  });

  await scenario('kernel info', async () => {
    const info = await within('kernel info', kernel.info);
    assert.equal(info.status, 'ok');
    assert.equal(info.language_info.name, 'python');
    assert.match(info.protocol_version, /^5\./);
    const again = await within('kernel info, asked for again', kernel.requestKernelInfo());
    assert.deepEqual({ ...again.content, banner: '' }, { ...info, banner: '' }); // its tip changes
    return info.implementation;
  });

  await scenario('the running kernels are listed', async () => {
    await kernels.refreshRunning();
    const running = [...kernels.running()].map(model => model.id);
    assert.deepEqual(running, [kernel.id]);
  });

  await scenario('a second connection reaches the same kernel', async () => {
    const model = await kernels.findById(kernel.id);
    const second = kernels.connectTo({ model });
    await connected(second);
    await status(second, 'idle');
    assert.notEqual(second.clientId, kernel.clientId);
    await run(kernel, 'shared = 6 * 7');
    const { iopub } = await run(second, 'shared');
    assert.ok(iopub.some(({ content }) => content.data?.['text/plain'] === '42'));
    second.dispose();
  });

  await scenario('both connections see what the kernel publishes, one of them its reply', async () => {
    const second = kernels.connectTo({ model: kernel.model });
    await connected(second);
    await status(second, 'idle');
    const onSecond = [];
    second.anyMessage.connect((_second, { msg }) => {
      if (msg.parent_header.msg_type === 'execute_request') {
        onSecond.push(`${msg.channel} ${msg.header.msg_type}`);
      }
    });

    const idle = emitted(
      'idle on the second connection',
      second.iopubMessage,
      msg => msg.parent_header.msg_type === 'execute_request' && msg.content.execution_state === 'idle'
    );
    await run(kernel, 'print("to everybody")');
    await idle;

    assert.deepEqual(onSecond, [
      'iopub status',
      'iopub execute_input',
      'iopub stream',
      'iopub status'
    ]);
    await run(second, 'print("and the other way round")');
    second.dispose();
    await staysAlive(kernel);
  });

  await scenario('a kernel is shut down', async () => {
    await kernel.shutdown();
    assert.ok(kernel.isDisposed);
    assert.equal(kernel.status, 'dead');
    assert.equal(await KernelAPI.getKernelModel(kernel.id, settings), undefined);
    await kernels.refreshRunning();
    assert.equal(kernels.runningCount, 0);
  });

  await scenario('a kernel shut down by somebody else is dead after the next look at the list', async () => {
    const orphan = await kernels.startNew({ name: 'python3' });
    await status(orphan, 'idle');
    const disposed = emitted('the connection to be given up', orphan.disposed);
    await KernelAPI.shutdownKernel(orphan.id, settings);
    await kernels.refreshRunning();
    await disposed;
    assert.equal(orphan.status, 'dead');
  });
}
