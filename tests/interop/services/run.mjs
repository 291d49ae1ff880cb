// Drives one Jupyter server with @jupyterlab/services, the library inside JupyterLab 4 and Notebook 7.
//
//   node run.mjs --areas comms,stdin --base-url http://127.0.0.1:8888/ --token secret \
//                --protocol v1 --token-placement url
//
// --areas            files in areas/, without their extensions: each with a client of its own, in their order
// --protocol         v1: offer the library's subprotocols, as a browser does; default: offer none
// --token-placement  where the WebSocket request carries the token: url (?token=) or header (Authorization)
//
// Standard output carries one JSON line per scenario, {scenario, ok, detail}; what the library logs goes to
// standard error. The exit status is 1 if a scenario failed.

import { Console } from 'node:console';
import { parseArgs } from 'node:util';

import { connectClient } from './client.mjs';
import { reporter } from './scenario.mjs';

globalThis.console = new Console(process.stderr, process.stderr);

const { values: options } = parseArgs({
  options: {
    areas: { type: 'string' },
    'base-url': { type: 'string' },
    token: { type: 'string' },
    protocol: { type: 'string' },
    'token-placement': { type: 'string' }
  }
});

const { scenario, failures } = reporter();
for (const name of options.areas.split(',')) {
  const client = connectClient({
    baseUrl: options['base-url'],
    token: options.token,
    protocol: options.protocol,
    tokenPlacement: options['token-placement']
  });
  const area = await import(`./areas/${name}.mjs`);
  await scenario(`${name}: the whole area ran`, () => area.scenarios({ client, scenario }), {
    seconds: 300
  });
  await scenario(`${name}: no kernel and no session is left on the server`, () => client.nothingIsLeft());
  await scenario(`${name}: every WebSocket was closed by both sides`, () => client.close());
}

// The library keeps timers of its own; the scenarios above are the proof that nothing else is pending.
process.exit(failures() > 0 ? 1 : 0);
