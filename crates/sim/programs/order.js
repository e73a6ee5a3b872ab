// O1: what one vat sends on one reference arrives in that order, while the reference is a promise, while it is
// resolved (to a promise, to an object here, in the deciding vat, in a third one), and after.
export default async ({ console, vats }) => {
  const third = await vats.make('./order-log.js', { name: 'third' });
  const decider = await vats.make('./order-log.js', { name: 'decider' });
  const senders = await Promise.all([vats.make('./order-sender.js', {}), vats.make('./order-sender.js', {})]);

  const routes = [];
  const addRoute = (ref, log) => routes.push({ ref, log });
  addRoute(third, third);
  addRoute(decider, decider);
  // a promise that the decider resolves later to an object elsewhere, and one through a chain of promises
  const later = decider ~. laterThird(third, 3);
  addRoute(later, third);
  const chained = decider ~. laterThird(decider ~. laterThird(third, 1), 2);
  addRoute(chained, third);
  addRoute(decider ~. laterSelf(2), decider);

  const done = [];
  let route = 0;
  for (const { ref } of routes) {
    let s = 0;
    for (const sender of senders) {
      done.push(sender ~. sendMany(ref, `${route}/${s}`, 12));
      s += 1;
    }
    route += 1;
  }
  await Promise.all(done);
  for (const log of [third, decider]) {
    const seen = {};
    for (const { tag, n } of await (log ~. entries())) {
      const last = seen[tag] === undefined ? -1 : seen[tag];
      if (n !== last + 1) throw Error(`${tag}: ${n} after ${last}`);
      seen[tag] = n;
    }
  }
  console.log('ok');
};
