import assert from 'node:assert/strict';

import { KernelAPI, SessionAPI } from '@jupyterlab/services';

import { recordStatus, run, status, staysAlive, text } from '../kernel.mjs';
import { emitted, within } from '../scenario.mjs';

export async function scenarios({ client, scenario }) {
  const { settings, kernels, sessions } = client;
  let session;

  await scenario('a session starts with a kernel of its own', async () => {
    session = await sessions.startNew({
      path: 'notes/žluťoučký kůň.ipynb',
      name: 'kůň.ipynb',
      type: 'notebook',
      kernel: { name: 'python3' }
    });
    assert.equal(session.path, 'notes/žluťoučký kůň.ipynb');
    assert.equal(session.name, 'kůň.ipynb');
    assert.equal(session.type, 'notebook');
    session.kernel.seen = recordStatus(session.kernel);
    await status(session.kernel, 'idle');
    const { iopub } = await run(session.kernel, 'print("in a session")');
    assert.equal(text(iopub), 'in a session\n');
  });

  await scenario('the kernel of a session is in the list of kernels', async () => {
    const models = await KernelAPI.listRunning(settings);
    assert.deepEqual(
      models.map(model => model.id),
      [session.kernel.id]
    );
  });

  await scenario('the running sessions are listed', async () => {
    const [model, ...others] = await SessionAPI.listRunning(settings);
    assert.deepEqual(others, []);
    assert.equal(model.id, session.id);
    assert.equal(model.path, session.path);
    assert.equal(model.kernel.id, session.kernel.id);
    assert.equal(model.kernel.execution_state, 'idle');
    return model;
  });

  await scenario('a session is found by its id and by its path', async () => {
    assert.equal((await sessions.findById(session.id)).path, session.path);
    assert.equal((await sessions.findByPath(session.path)).id, session.id);
    assert.equal((await SessionAPI.getSessionModel(session.id, settings)).kernel.id, session.kernel.id);
  });

  await scenario('a second client connects to a running session', async () => {
    const second = sessions.connectTo({ model: session.model });
    assert.equal(second.kernel.id, session.kernel.id);
    await status(second.kernel, 'idle');
    await run(session.kernel, 'shared = 6 * 7');
    const { iopub } = await run(second.kernel, 'print(shared)');
    assert.equal(text(iopub), '42\n');
    second.dispose();
  });

  await scenario('starting a session on a path that has one returns that one', async () => {
    const model = await SessionAPI.startSession(
      { path: session.path, name: 'other', type: 'notebook', kernel: { name: 'python3' } },
      settings
    );
    assert.equal(model.id, session.id);
    assert.equal(model.kernel.id, session.kernel.id);
  });

  await scenario('path, name and type of a session change', async () => {
    const kernelId = session.kernel.id;
    const changed = [];
    session.propertyChanged.connect((_session, property) => changed.push(property));
    await session.setPath('notes/renamed.py');
    await session.setName('renamed.py');
    await session.setType('file');
    assert.deepEqual(changed, ['path', 'name', 'type']);
    const model = await SessionAPI.getSessionModel(session.id, settings);
    assert.deepEqual(
      [model.path, model.name, model.type, model.kernel.id],
      ['notes/renamed.py', 'renamed.py', 'file', kernelId]
    );
    await staysAlive(session.kernel);
  });

  await scenario('a session changes its kernel for a new one', async () => {
    const oldKernelId = session.kernel.id;
    const changed = emitted('kernelChanged', session.kernelChanged);
    const kernel = await within('the new kernel', session.changeKernel({ name: 'python3' }));
    await changed;
    assert.notEqual(kernel.id, oldKernelId);
    assert.equal(session.path, 'notes/renamed.py');
    kernel.seen = recordStatus(kernel);
    await status(kernel, 'idle');
    const { reply } = await run(kernel, 'shared');
    assert.equal(reply.ename, 'NameError');
    assert.equal(await KernelAPI.getKernelModel(oldKernelId, settings), undefined);
    await staysAlive(kernel);
  });

  await scenario('a session can be made around a kernel that is running', async () => {
    const model = await KernelAPI.startNew({ name: 'python3' }, settings);
    const console = await sessions.startNew({
      path: 'console-1',
      name: 'Console 1',
      type: 'console',
      kernel: { id: model.id, name: 'python3' }
    });
    assert.equal(console.kernel.id, model.id);
    await status(console.kernel, 'idle');
    const { iopub } = await run(console.kernel, 'print("adopted")');
    assert.equal(text(iopub), 'adopted\n');
    await console.shutdown();
    assert.equal(await KernelAPI.getKernelModel(model.id, settings), undefined);
  });

  await scenario('a session whose kernel is shut down goes away', async () => {
    const doomed = await sessions.startNew({
      path: 'doomed.ipynb',
      name: 'doomed.ipynb',
      type: 'notebook',
      kernel: { name: 'python3' }
    });
    const disposed = emitted('the session to be given up', doomed.disposed);
    await KernelAPI.shutdownKernel(doomed.kernel.id, settings);
    await sessions.refreshRunning();
    await disposed;
    const models = await SessionAPI.listRunning(settings);
    assert.ok(models.every(model => model.id !== doomed.id));
  });

  await scenario('a session is shut down, and its kernel with it', async () => {
    const kernelId = session.kernel.id;
    await session.shutdown();
    assert.ok(session.isDisposed);
    assert.deepEqual(await SessionAPI.listRunning(settings), []);
    assert.equal(await KernelAPI.getKernelModel(kernelId, settings), undefined);
    await kernels.refreshRunning();
    assert.equal(kernels.runningCount, 0);
  });

  await scenario('shutting down a session that is gone is no error', async () => {
    await SessionAPI.shutdownSession(session.id, settings); // a 404 with a JSON body is taken for success
  });
}
