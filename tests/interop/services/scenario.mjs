// Running scenarios, and waiting for things: every wait names what it waits for and has a deadline.

const DEADLINE_SECONDS = 30;

// Returns `scenario(name, body, {seconds})`, which runs `body` and prints one JSON line about it, and
// `failures()`, the number of failed scenarios so far. A scenario never throws: the next one runs anyway.
// What `body` returns becomes the detail of the line.
export function reporter() {
  let failed = 0;
  const uncaught = uncaughtErrors();

  async function scenario(name, body, { seconds = DEADLINE_SECONDS } = {}) {
    let line;
    try {
      const detail = await within(`the end of "${name}"`, uncaught.during(body), seconds);
      line = { scenario: name, ok: true, detail: detail ?? null };
    } catch (error) {
      failed += 1;
      line = { scenario: name, ok: false, detail: error.stack ?? String(error) };
    }
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }

  return { scenario, failures: () => failed };
}

// The library throws inside its WebSocket listener on a message that it cannot parse or that has an unknown
// execution state. A browser only logs that; here it fails the scenario, since the server sent the message.
// Rejected promises that nobody awaits are the library's own (a request cancelled by a restart): logged only.
function uncaughtErrors() {
  let fail = error => {
    throw error;
  };
  process.on('uncaughtException', error => {
    console.error('uncaught:', error);
    fail(error);
  });
  process.on('unhandledRejection', error => console.error('rejected, and awaited by nobody:', error));

  return {
    // The result of `body`, or the first uncaught error meanwhile. Scenarios nest: the innermost gets it.
    async during(body) {
      const outer = fail;
      const error = new Promise((_, reject) => {
        fail = reject;
      });
      try {
        return await Promise.race([body(), error]);
      } finally {
        fail = outer;
      }
    }
  };
}

export async function within(what, promise, seconds = DEADLINE_SECONDS) {
  let timer;
  const deadline = new Promise((_, reject) => {
    const error = new Error(`waited ${seconds} s in vain for: ${what}`);
    timer = setTimeout(reject, seconds * 1e3, error);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

// Resolves with the first value of a Lumino signal that satisfies the predicate.
export async function emitted(what, signal, predicate = () => true) {
  let slot;
  const value = new Promise(resolve => {
    slot = (_sender, value) => {
      if (predicate(value)) {
        resolve(value);
      }
    };
    signal.connect(slot);
  });
  try {
    return await within(what, value, DEADLINE_SECONDS - 5);
  } finally {
    signal.disconnect(slot);
  }
}
