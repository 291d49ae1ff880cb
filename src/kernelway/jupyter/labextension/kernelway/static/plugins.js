// The plugins, each of which can be disabled by its id.

import { tellOfGateways } from './gateways.js';
import { leaveOthersRunning } from './shutting-down.js';

const plugin = (id, description, start, shared) => ({
  id: `kernelway:${id}`,
  description,
  autoStart: true,
  activate: async (app) => {
    const [services, { Notification }] = await Promise.all([
      shared('@jupyterlab/services'),
      shared('@jupyterlab/apputils'),
    ]);
    start(app.serviceManager, services, Notification);
  },
});

export const plugins = (shared) => [
  plugin(
    'shutting-down',
    'Leaves kernels that others started out of what shuts down many kernels at once.',
    leaveOthersRunning,
    shared,
  ),
  plugin(
    'gateways',
    'Tells when a gateway is lost and when it is back, and shows its kernels in the launcher then.',
    tellOfGateways,
    shared,
  ),
];
