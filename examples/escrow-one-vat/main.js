// @jessie-check
// Plays the eighteen cases of the escrow exchange and prints what is seen of each: the balances of the four
// purses, what is in escrow, and the decision. Fails if a case ends otherwise than `cases.js` says.

import { makeWorld } from './world.js';
import { makeCases } from './cases.js';

// Everything is in this one vat: when many jobs have passed and nobody has acted, nothing is under way.
const atRest = (jobs = 200) => (jobs === 0 ? undefined : Promise.resolve().then(_ => atRest(jobs - 1)));

// What is known of a decision, to be read at any time.
const watch = decisionP => {
  let known = 'pending';
  E.when(
    decisionP,
    _ => {
      known = 'ok';
    },
    reason => {
      known = `rejected: ${reason}`;
    },
  );
  return () => known;
};

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

const column = (text, width) => {
  let padded = text;
  while (padded.length < width) {
    padded += ' ';
  }
  return padded;
};

const row = (name, story, purses, escrow, decision) =>
  `${column(name, 5)}${column(story, 50)}${column(purses, 24)}${column(escrow, 9)}${decision}`;

export default ({ console }) => {
  const cases = makeCases();

  // Plays one case and promises whether all was as it should be.
  const check = eachCase =>
    playCase(eachCase).then(seen => {
      let right = seen.length === eachCase.sights.length;
      seen.forEach(({ purses, escrow, decision }, i) => {
        const first = i === 0;
        console.log(row(first ? eachCase.name : '', first ? eachCase.story : '', purses, escrow, decision));
        const due = eachCase.sights[+i];
        if (purses !== due.purses || escrow !== due.escrow || decision !== due.decision) {
          console.log(row('', '  but it should be', due.purses, due.escrow, due.decision));
          right = false;
        }
      });
      return right;
    });

  console.log(row('case', 'what happens', 'aSrc,bDst / bSrc,aDst', 'escrow', 'decision'));
  const wrongP = cases.reduce(
    (countP, eachCase) =>
      countP.then(count => check(eachCase).then(right => (right ? count : count + 1))),
    Promise.resolve(0),
  );

  return wrongP.then(wrong => {
    if (wrong !== 0) {
      throw Error(`${wrong} of ${cases.length} cases differ`);
    }
    console.log(`All ${cases.length} cases end as they should.`);
  });
};
