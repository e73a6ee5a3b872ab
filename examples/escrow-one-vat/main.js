// @jessie-check
// Plays the eighteen cases of the escrow exchange and prints what is seen of each: the balances of the four
// purses, what is in escrow, and the decision. Fails if a case ends otherwise than `cases.js` says.

import { makeWorld } from './world.js';
import { makeCases } from './cases.js';
import { showCases, watch } from './table.js';

// Everything is in this one vat: when many jobs have passed and nobody has acted, nothing is under way.
const atRest = (jobs = 200) => (jobs === 0 ? undefined : Promise.resolve().then(_ => atRest(jobs - 1)));

// Promises all that was seen, at the first rest and after each act.
const playCase = ({ play, funds = harden({ alice: 10, bob: 7 }) }) =>
  makeWorld(funds.alice, funds.bob).then(world => {
    const { decisions, acts } = play(world);
    const watchers = decisions.map(decisionP => watch(decisionP));

    const look = seen =>
      E.when(atRest(), _ => {
        const decision = watchers.map(known => known()).join(', then ');
        return harden([...seen, { ...world.audit(), decision }]);
      });

    return acts.reduce(
      (seenP, act) =>
        seenP.then(seen => {
          act();
          return look(seen);
        }),
      look(harden([])),
    );
  });

export default ({ console }) => showCases(console, makeCases(), playCase);
