// "Shut Down All", "Shut Down All Kernels…", "Shut Down Unused" and File → Shut Down send one request for each
// kernel or session that is listed. Those that this notebook server did not start are left out here. A kernel's own
// "Shut Down" goes another way, and ends it, whoever started it.

const TOLD_FOR = 10_000; // milliseconds
const ONE_CLICK = 1_000; // milliseconds, within which it leaves one kernel after the other

export function leaveOthersRunning({ kernels, sessions }, { KernelAPI, ServerConnection }, Notification) {
  const tell = teller(Notification);

  const list = async (path, settings) => {
    const response = await ServerConnection.makeRequest(settings.baseUrl + path, {}, settings);
    if (!response.ok) {
      throw await ServerConnection.ResponseError.create(response);
    }
    return response.json();
  };

  // Asked anew each time: what the page knows may be ten seconds old.
  const listOthers = async (settings) => {
    const models = await list('api/kernels', settings);
    return new Set(models.filter((model) => model.kernelway?.ours === false).map((model) => model.id));
  };

  const shutDownOurs = async (manager, path, kernelOf) => {
    const settings = manager.serverSettings;
    const [models, others] = await Promise.all([list(path, settings), listOthers(settings)]);
    const isOurs = (model) => !others.has(kernelOf(model)?.id);
    tell(models.filter((model) => !isOurs(model)).map((model) => kernelOf(model).id));
    await Promise.all(models.filter(isOurs).map((model) => manager.shutdown(model.id)));
  };

  kernels.shutdownAll = () => shutDownOurs(kernels, 'api/kernels', (kernel) => kernel);
  sessions.shutdownAll = () => shutDownOurs(sessions, 'api/sessions', (session) => session.kernel);

  // "Shut Down Unused" calls this for each kernel that nobody is connected to, whatever is chosen one by one goes
  // by the managers. Its errors are swallowed: what the server refuses would be left without a word. Where another
  // version of the application does not let it be replaced, the server's refusal is what there is.
  const shutdownKernel = KernelAPI.shutdownKernel;
  const shutDownOurKernel = async (id, settings = kernels.serverSettings) => {
    if ((await listOthers(settings)).has(id)) {
      tell([id]);
      throw new Error(`The kernel ${id} was left running: this notebook server did not start it.`);
    }
    await shutdownKernel(id, settings);
  };
  Reflect.set(KernelAPI, 'shutdownKernel', shutDownOurKernel);
}

// One notification for all that one click left running, also where it becomes known one by one.
function teller(Notification) {
  const left = new Set();
  let shown;
  let last = -Infinity;
  return (ids) => {
    if (ids.length === 0) {
      return;
    }
    const now = performance.now();
    if (now - last > ONE_CLICK) {
      left.clear();
    }
    last = now;
    ids.forEach((id) => left.add(id));
    // A new one is seen in any case; an older one may be about to vanish.
    if (shown !== undefined) {
      Notification.dismiss(shown);
    }
    shown = Notification.info(sentence(left.size), { autoClose: TOLD_FOR });
  };
}

const sentence = (count) =>
  count === 1
    ? '1 kernel that others started was left running. Shut it down by itself to end it.'
    : `${count} kernels that others started were left running. Shut one down by itself to end it.`;
