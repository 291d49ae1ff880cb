// What JupyterLab and Notebook load first: a container as module federation has them, written by hand, so that
// nothing needs to be built. `init` hands over the modules that the application shares; `get` returns a function
// that returns a module of ours.
(() => {
  const here = document.currentScript.src;
  let modules = {};

  // Each version of a shared module has an entry; what the application itself uses is loaded by the time we ask.
  const shared = async (name) => {
    const versions = Object.values(modules[name] ?? {});
    const entry = versions.find((version) => version.loaded) ?? versions[0];
    if (entry === undefined) {
      throw new Error(`This application does not share ${name}.`);
    }
    const factory = await entry.get();
    return factory();
  };

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB.kernelway = {
    init(sharedModules) {
      modules = sharedModules;
    },
    async get(name) {
      if (name !== './extension') {
        throw new Error(`There is no module ${name} here.`);
      }
      const { plugins } = await import(new URL('plugins.js', here).href);
      // The application writes a property on it, which an ES module's own namespace does not take.
      const extension = { __esModule: true, default: plugins(shared) };
      return () => extension;
    },
  };
})();
