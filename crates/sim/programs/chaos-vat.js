export default ({ name, seed }) => {
  let state = seed + 1;
  const below = n => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * n);
  };
  const peers = [];
  const things = [];
  const marks = new WeakMap();
  let nextMark = 0;
  let sent = 0;
  let got = 0;
  let bad = 0;

  const keep = thing => {
    if (things.length < 20) things.push(thing);
    else things[below(20)] = thing;
  };
  const isObject = x => (typeof x === 'object' && x !== null && !(x instanceof Promise)) || typeof x === 'function';

  const self = Far(name, {
    meet: list => {
      for (const p of list) peers.push(p);
    },
    take: (label, list, shared) => {
      got += 1;
      for (const x of list) {
        if (x instanceof Promise) {
          x.then(keep, () => undefined);
        } else if (isObject(x) && !Array.isArray(x)) {
          // what a weak map knows of it must still be known
          const mark = marks.get(x);
          if (mark === undefined) {
            nextMark += 1;
            marks.set(x, nextMark);
            if (marks.get(x) !== nextMark) bad += 1;
          }
          keep(x);
        }
      }
      if (shared.length === 2 && shared[0] !== shared[1]) bad += 1;
      return label;
    },
    give: () => pick(),
    give2: async () => pick(),
    play: async n => {
      const answers = [];
      for (let i = 0; i < n; i += 1) answers.push(step());
      await Promise.all(answers);
      return true;
    },
    counts: () => harden({ sent, got, bad }),
  });

  const pick = () => {
    const k = below(6);
    if (k === 0 || things.length === 0) {
      const t = harden({ secret: () => k, same: other => other });
      keep(t);
      return t;
    }
    if (k === 1) return Promise.resolve(things[below(things.length)]);
    if (k === 2) return peers[below(peers.length)] ~. give();
    if (k === 3) {
      const p = Promise.reject(Error('as it happens'));
      p.catch(() => undefined);
      return p;
    }
    return things[below(things.length)];
  };

  const step = async () => {
    const peer = peers[below(peers.length)];
    const list = [];
    const n = below(4);
    for (let i = 0; i < n; i += 1) list.push(pick());
    const part = harden({ deep: [[name]] });
    const label = `${name} ${below(1000)}`;
    sent += 1;
    const answer = peer ~. take(label, harden(list), [part, part]);
    // pipelined on an answer that is a string: performed where it is
    const upper = answer ~. toUpperCase();
    if ((await answer) !== label) bad += 1;
    if ((await upper) !== label.toUpperCase()) bad += 1;
    const promised = peer ~. give2();
    await (promised ~. nothing()).catch(() => undefined);
    await promised.catch(() => undefined);
  };
  return self;
};
