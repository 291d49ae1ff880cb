// Tells when a gateway is lost and when it is back: in one notification for each gateway. What a gateway offers now
// is in the launcher at once.

const SCHEMA = 'urn:kernelway:gateway:v1';

const LONGEST = 140; // characters that JupyterLab shows of a notification
const BACK_FOR = 6_000; // milliseconds

export function tellOfGateways({ events, kernelspecs }, _services, Notification) {
  const shown = new Map(); // The id of each gateway's notification, by its place.
  const lost = new Set();

  const show = (place, message, type, options) => {
    const id = shown.get(place);
    if (id !== undefined) {
      // A new one is seen in any case; an older one may be about to vanish.
      Notification.dismiss(id);
    }
    shown.set(place, Notification.emit(message, type, options));
  };

  const tellLost = ({ place, reason }) => {
    // Who has closed the notification of this loss has read it.
    const isClosed = lost.has(place) && !Notification.manager.has(shown.get(place));
    lost.add(place);
    if (!isClosed) {
      show(place, lossOf(place, reason), 'in-progress', { autoClose: false });
    }
  };

  const tellBack = ({ place }) => {
    lost.delete(place);
    show(place, `${place} is back.`, 'success', { autoClose: BACK_FOR });
  };

  events.stream.connect((_, event) => {
    if (event.schema_id !== SCHEMA) {
      return;
    }
    if (event.state === 'lost') {
      tellLost(event);
    } else if (event.state === 'back') {
      tellBack(event);
    }
    // The launcher has what is there now; by itself it would ask about a minute later.
    kernelspecs.refreshSpecs().catch((error) => console.warn('The kernelspecs cannot be listed.', error));
  });
}

function lossOf(place, reason) {
  const first = `${place}: connection lost`;
  const last = 'Trying again; what you run meanwhile is kept.';
  const room = LONGEST - first.length - last.length - 5;
  // What is wrong comes first; what to do about it is in the server's log. In an address no blank follows a colon.
  const why = (reason ?? '').split(/[:;.…](?:\s|$)/, 1)[0].trim();
  if (why === '' || room < 10) {
    return `${first}. ${last}`;
  }
  return `${first} — ${why.length > room ? `${why.slice(0, room - 1)}…` : `${why}.`} ${last}`;
}
