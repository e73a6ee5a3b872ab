// @jessie-check
// A mint, two purses, and what happens when Alice pays Bob: well, with a fake, and with too little.

import { makeMint } from './mint.js';
import { makeAlice } from './alice.js';
import { makeBob } from './bob.js';

export default ({ console }) => {
  const mint = makeMint();
  const alicePurse = mint(1000);
  const bobPurse = mint(1001);
  const alice = makeAlice(alicePurse);
  const bob = makeBob(bobPurse);

  const showBalances = () => {
    console.log(`  Alice has ${alicePurse.getBalance()}, Bob has ${bobPurse.getBalance()}`);
  };

  const report = (title, answerP) =>
    answerP
      .then(
        good => {
          console.log(`${title}: bought "${good}"`);
        },
        error => {
          console.log(`${title}: refused, ${error.name}: ${error.message}`);
        },
      )
      .then(showBalances);

  console.log('At the start');
  showBalances();
  return report('Alice pays 10 for a shoe', alice ~. payBobWell(bob))
    .then(_ => report('Alice pays with a fake purse', alice ~. payBobBadly1(bob)))
    .then(_ => report('Alice pays with a purse of 5', alice ~. payBobBadly2(bob)))
    .then(_ => report('Alice asks for a hat', bob ~. buy('hat', alicePurse)));
};
