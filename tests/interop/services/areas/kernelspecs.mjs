import assert from 'node:assert/strict';

import { KernelSpecAPI } from '@jupyterlab/services';

export async function scenarios({ client, scenario }) {
  const { settings } = client;
  const models = await KernelSpecAPI.getSpecs(settings);

  await scenario('kernelspecs are listed, with a default among them', () => {
    // The library drops a kernelspec that lacks argv, display_name, language, name or resources.
    const { default: defaultName, kernelspecs: specs } = models;
    assert.ok(defaultName in specs);
    const python = specs.python3;
    assert.ok(Array.isArray(python.argv) && python.argv.length > 0, `argv is ${python.argv}`);
    assert.equal(python.language, 'python');
    assert.ok(python.display_name.length > 0);
    return Object.keys(specs);
  });

  await scenario('the resources of a kernelspec are URLs below its kernelspecs folder', () => {
    const { pathname: base } = new URL(settings.baseUrl);
    for (const [name, resource] of Object.entries(models.kernelspecs.python3.resources)) {
      assert.ok(resource.startsWith(`${base}kernelspecs/python3/`), `${name} is at ${resource}`);
    }
  });

  await scenario('a logo can be fetched', async () => {
    const logo = models.kernelspecs.python3.resources['logo-64x64'];
    const headers = { Authorization: `token ${settings.token}` };
    const response = await fetch(new URL(logo, settings.baseUrl), { headers });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'image/png');
    const png = new Uint8Array(await response.arrayBuffer());
    assert.deepEqual([...png.slice(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
    return `${png.byteLength} bytes`;
  });
}
