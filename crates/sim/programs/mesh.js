// One host of many. It holds references to cells on other hosts, sends on them, hands them on, lets go of some and asks for
// others, and pays from its purse; it counts all it does, so that whoever sees all hosts can tell what was lost or came twice.
export default async ({ args, names, net, timer, vats }) => {
  const [me, wanted, rounds, seed] = [args[0], Number(args[1]), Number(args[2]), Number(args[3])];
  const uris = args.slice(4);
  const keeper = await vats.make('./mesh-keeper.js', { timer });

  let state = seed;
  const below = n => {
    state = (state * 48271) % 2147483647;
    return state % n;
  };

  let tired = false;
  let balance = 1000;
  let [asked, answered, touches, streams, done] = [0, 0, 0, 0, 0];
  const sent = new Map();
  const wrong = [];
  let peers = [];
  let held = [];
  let circles = [];

  const expect = answer => {
    asked += 1;
    E.when(
      answer,
      _ => {
        answered += 1;
      },
      error => {
        answered += 1;
        wrong.push(`an answer is ${error}`);
      },
    );
  };
  const next = stream => {
    const n = (sent.has(stream) ? sent.get(stream) : 0) + 1;
    sent.set(stream, n);
    return n;
  };

  // a reference of this host alone, with a stream of its own
  const hold = cell => {
    streams += 1;
    held.push({ cell, stream: `${me}/${streams}` });
  };
  const say = ref => expect(ref.cell ~. add(ref.stream, next(ref.stream)));
  const peer = () => peers[below(peers.length)];
  const ask = () => hold(below(3) === 0 ? peer().root ~. later(below(50)) : peer().root ~. make());

  const root = Far('root', {
    make: () => keeper ~. make(),
    later: ms => keeper ~. later(ms),
    pay: (stream, n, amount) => {
      balance += amount;
      return keeper ~. hear(stream, n);
    },
    // a cell of a third host
    take: async cell => {
      const settled = await cell;
      if (tired || held.length > 2 * wanted) return 0;
      hold(settled);
      say(held[held.length - 1]);
      return 1;
    },
    // a promise of one, on which order is not kept
    try: cell => {
      touches += 1;
      return cell ~. touch();
    },
    // `mine` is held by a cell here, which is held by whoever made `mine`
    circle: async mine => {
      const cell = await (keeper ~. make());
      await (cell ~. befriend(mine));
      return cell;
    },
    tell: async () => {
      const lines = [`balance ${balance}`, `asked ${asked}`, `answered ${answered}`, `touches ${touches}`];
      lines.push(`holds ${held.length}`, `rounds ${done}`);
      sent.forEach((n, stream) => lines.push(`sent ${stream} ${n}`));
      wrong.forEach(w => lines.push(`wrong ${w}`));
      return `${lines.join('\n')}\n${await (keeper ~. tell())}`;
    },
    // Lets go of all; circles across hosts, which nobody else would find, are opened.
    drop: async () => {
      tired = true;
      const open = circles.map(c => c ~. forget());
      [peers, held, circles] = [[], [], []];
      await Promise.all(open);
      return 'dropped';
    },
  });

  const connect = async uri => {
    for (;;) {
      try {
        const found = await net.import(uri);
        peers.push({ root: found, stream: `${me}>${uris.indexOf(uri)}` });
        return;
      } catch (_) {
        // it has not begun, or could not be reached
        await timer.delay(20 + below(100));
      }
    }
  };

  const act = () => {
    const ref = held[below(held.length)];
    const kind = below(16);
    if (kind < 6) {
      say(ref);
    } else if (kind < 9) {
      const { root: to, stream } = peer();
      const amount = below(balance + 1);
      balance -= amount;
      expect(to ~. pay(stream, next(stream), amount));
    } else if (kind < 11) {
      const to = peer().root;
      expect(E.when(ref.cell, cell => to ~. take(cell)));
    } else if (kind === 11) {
      expect(peer().root ~. try(ref.cell));
    } else if (kind === 12) {
      expect(peer().root ~. try(peer().root ~. later(below(60))));
    } else if (kind === 13) {
      held = held.filter(r => r !== ref);
    } else if (kind === 14 && circles.length < 2) {
      const to = peer().root;
      expect(
        E.when(keeper ~. make(), async mine => {
          const theirs = await (to ~. circle(mine));
          await (mine ~. befriend(theirs));
          if (tired) await (mine ~. forget());
          else circles.push(mine);
        }),
      );
    }
    while (held.length < wanted) {
      ask();
      say(held[held.length - 1]);
    }
  };

  const live = async () => {
    await Promise.all(uris.map(connect));
    while (held.length < wanted) {
      ask();
      say(held[held.length - 1]);
    }
    for (; done < rounds; done += 1) {
      await timer.delay(below(60));
      act();
    }
  };

  await names.export(root, `mesh-${me}`);
  E.when(live(), _ => undefined, error => wrong.push(`it ended: ${error}`));
  return root;
};
