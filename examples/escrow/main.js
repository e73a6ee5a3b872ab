// @jessie-check
// Five vats, none of which trusts another, exchange money for stock. Without arguments one deal is made and one is
// called off; with the argument `cases` eighteen are played, each by five fresh vats, and what is seen of
// each is compared with what must be seen.

import { makeWorld } from './world.js';
import { makeCases } from './cases.js';
import { sameSight, showCases, watch } from '../escrow-one-vat/table.js';

// All is at rest: more rounds of messages through all vats have passed than the longest
// chain of them that a deal can cause, and then some time.
const atRest = (timer, world, rounds = 30) =>
  rounds === 0 ? timer ~. delay(1) : E.when(world.round(), _ => atRest(timer, world, rounds - 1));

// One deal, told as it happens. `intervene(world)` does something when all is at rest.
const trade = (console, timer, vats, { bobPlays, intervene }) =>
  E.when(makeWorld(vats, 10, 7), world => {
    const { agent, alice, bob } = world;

    const show = title =>
      E.when(world.audit(), ({ totals, escrow }) => {
        console.log(`  ${title}: ${totals}; in escrow ${escrow}`);
      });

    const learn = decisionP =>
      E.when(
        decisionP,
        _ => 'both have paid',
        reason => `it is off: ${reason}`,
      );

    return E.when(show('before'), _ => {
      const dealP = agent ~. makeDeal();
      const learntP = Promise.all(
        harden([learn(alice ~. play(dealP ~. moneySeat)), learn(bob ~. play(dealP ~. stockSeat, bobPlays))]),
      );
      return E.when(atRest(timer, world), _ => show('at rest'))
        .then(_ => intervene(world))
        .then(_ => learntP)
        .then(([aliceLearns, bobLearns]) => {
          console.log(`  Alice is told: ${aliceLearns}`);
          console.log(`  Bob is told:   ${bobLearns}`);
          return atRest(timer, world);
        })
        .then(_ => show('after'));
    });
  });

const tradeTwice = (console, timer, vats) => {
  console.log('Alice gives 10 money for 7 of the stock that Bob has');
  const first = harden({ bobPlays: {}, intervene: _ => undefined });
  return E.when(trade(console, timer, vats, first), _ => {
    console.log('Again, but Bob does not pay, and Alice calls it off');
    const second = harden({
      bobPlays: { source: 'never comes' },
      intervene: ({ alice }) => alice ~. cancel('Alice is tired of waiting'),
    });
    return trade(console, timer, vats, second);
  });
};

const playCase = (timer, vats) => eachCase => {
  const {
    alice: alicePlays,
    bob: bobPlays,
    stakes = harden({ alice: 10, bob: 7 }),
    deals = harden([1]),
    acts = harden([]),
  } = eachCase;
  return E.when(makeWorld(vats, stakes.alice, stakes.bob), world => {
    const { agent, alice, bob } = world;
    const watchers = deals.map(_ => {
      const dealP = agent ~. makeDeal();
      return harden({
        alice: watch(alice ~. play(dealP ~. moneySeat, alicePlays)),
        bob: watch(bob ~. play(dealP ~. stockSeat, bobPlays)),
      });
    });

    // Both must have been told the same. Of two deals either may be the one that succeeds.
    const decision = () => {
      const known = watchers.map(told =>
        told.alice() === told.bob() ? told.alice() : `Alice ${told.alice()}, Bob ${told.bob()}`,
      );
      if (known.length === 1) {
        return known[0];
      }
      const failed = known.filter(one => one !== 'ok');
      return failed.length === 1 ? `one ok, one ${failed[0]}` : known.join(', ');
    };

    const lookOnce = () =>
      E.when(world.audit(), ({ purses, escrow }) => harden({ purses, escrow, decision: decision() }));

    // Where messages are slower than the rounds, what is due may still be under way: look again, but not for ever.
    const lookUntil = (due, tries) =>
      E.when(lookOnce(), sight =>
        tries === 0 || sameSight(sight, due)
          ? sight
          : E.when(timer ~. delay(10), _ => lookUntil(due, tries - 1)),
      );

    const look = seen =>
      E.when(atRest(timer, world), _ =>
        E.when(lookUntil(eachCase.sights[+seen.length], 100), sight => harden([...seen, sight])),
      );

    return acts.reduce(
      (seenP, act) => E.when(seenP, seen => E.when(act(world), _ => look(seen))),
      look(harden([])),
    );
  });
};

export default ({ console, timer, vats, args }) =>
  args[0] === 'cases'
    ? showCases(console, makeCases(), playCase(timer, vats))
    : tradeTwice(console, timer, vats);
