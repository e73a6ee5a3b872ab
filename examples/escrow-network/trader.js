// @jessie-check
// The program of a trader's host. A trader owns a purse of each currency, and trusts the agent and both issuers. One
// of the two, who is given a partner and a number of trades, begins them: he asks the agent for a deal, keeps one seat and
// hands the other one to his partner.
//
//   refs = { agent, money, stock, partner? }       args = [name, trades?]
//
// In every trade one gives 10 money and the other one 7 stock, in turns. In every tenth one the partner stakes too little,
// so that it is off. What was staked, or won, goes back to the own purses afterwards.

const AT_ONCE = 8;

export default ({ timer, refs, args }) => {
  const { agent, money, stock } = refs;
  const trades = args.length > 1 ? Number(args[1]) : 0;
  // How often each trade's outcome was told, and what it was.
  const told = makeMap();
  let swept = 0;
  let begun = 0;
  let done = 0;

  const note = (n, outcome) => {
    told.set(n, harden([...(told.has(n) ? told.get(n) : []), outcome]));
    return outcome;
  };

  // Moves `amount` from `purse` to `main`. The agent may still be about to pay it; or, of a trade that is off, to take
  // it into escrow and give it back: until then it is tried again.
  const sweep = (main, purse, amount) =>
    E.when(
      main ~. deposit(amount, purse),
      _ => {
        swept += 1;
      },
      _ => E.when(timer ~. delay(20), _ => sweep(main, purse, amount)),
    );

  const play = (n, seat, gives, short) => {
    const [mine, wanted, stake, needed] =
      gives === 'money' ? harden([money, stock, 10, 7]) : harden([stock, money, 7, 10]);
    const src = mine ~. makePurse();
    const dst = wanted ~. makePurse();
    const { promise: cancellationP, resolve: over } = makePromiseKit();
    return E.when(src ~. deposit(stake - short, mine), _ =>
      E.when(
        agent ~. takeSeat(seat, harden({ srcP: src, dstP: dst, needed, cancellationP })),
        _ => {
          over('it is decided');
          sweep(wanted, dst, needed);
          return note(n, 'ok');
        },
        _ => {
          over('it is decided');
          sweep(mine, src, stake - short);
          return note(n, 'off');
        },
      ),
    );
  };

  const begin = () => {
    if (begun === trades) {
      return undefined;
    }
    begun += 1;
    const n = begun;
    const swap = n % 2 === 0;
    return E.when(agent ~. makeDeal(), ({ moneySeat, stockSeat }) => {
      const [own, other] = swap ? harden([stockSeat, moneySeat]) : harden([moneySeat, stockSeat]);
      const ownP = play(n, own, swap ? 'stock' : 'money', 0);
      const otherP = refs.partner ~. join(n, other, swap ? 'money' : 'stock', +(n % 20 === 0 || n % 20 === 11));
      return E.when(Promise.all(harden([ownP, otherP])), _ => {
        done += 1;
        return begin();
      });
    });
  };

  const start = left => (left === 0 ? undefined : harden([begin(), start(left - 1)]));
  start(Math.min(AT_ONCE, trades));

  return Far('trader', {
    // Takes part in a trade that somebody else has begun; promises its outcome.
    join: (n, seat, gives, short) => play(n, seat, gives, short),

    // What it was told of each trade: how many came to each outcome, how many were told more than once, and all outcomes
    // in order, `+` for a trade that was made and `-` for one that was off.
    report: () => {
      let ok = 0;
      let off = 0;
      let again = 0;
      told.forEach(outcomes => {
        ok += +(outcomes[0] === 'ok');
        off += +(outcomes[0] === 'off');
        again += +(outcomes.length > 1);
      });
      return E.when(Promise.all(harden([money ~. getBalance(), stock ~. getBalance()])), ([m, s]) =>
        harden({ begun, done, ok, off, again, swept, money: m, stock: s }),
      );
    },
    outcomes: () => {
      let text = '';
      let n = 1;
      while (told.has(n)) {
        text += told.get(n)[0] === 'ok' ? '+' : '-';
        n += 1;
      }
      return text;
    },
    progress: () => done,
  });
};
