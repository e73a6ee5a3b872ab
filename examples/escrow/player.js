// @jessie-check
// The program of a player's vat; Alice and Bob run one each. A player owns a purse of one currency, wants some of
// another, and trusts the agent he was given and the issuers of both. He stakes only what he puts into a
// fresh purse.
//
//   powers = { agent, purse, emptyPurse, stake, needed }
//
// `play(seat)` takes a seat of a deal and promises the decision. `how` says in what way the player is
// dishonest, clumsy or slow; the cases need all of them.

import { makeMint } from '../mint/mint.js';

const never = () => makePromiseKit().promise;

const makeFakePurse = makePurse =>
  Far('fake purse', {
    makePurse,
    getBalance: () => 10,
    deposit: (_amount, _source) => undefined,
  });

export default ({ agent, purse, emptyPurse, stake, needed }) => {
  const src = purse ~. makePurse();
  const dst = emptyPurse ~. makePurse();
  const stakedP = src ~. deposit(stake, purse);

  const { promise: calledOffP, resolve: answer, reject: callOff } = makePromiseKit();
  const { promise: lateSrcP, resolve: bringSrc } = makePromiseKit();

  // A fake that shows the `makePurse` of the real currency.
  const disguised = realP => E.when(realP ~. makePurse, makePurse => makeFakePurse(makePurse));

  const source = what => {
    if (what === 'never comes') {
      return never();
    }
    if (what === 'comes late') {
      return lateSrcP;
    }
    if (what === 'other currency') {
      return makeMint()(stake);
    }
    if (what === 'fake') {
      return makeFakePurse(() => makeFakePurse(undefined));
    }
    if (what === 'fake with the real makePurse') {
      return disguised(src);
    }
    return src;
  };

  const cancellation = when => {
    if (when === 'already') {
      return Promise.reject('Alice never wanted to');
    }
    return when === 'forgotten' ? undefined : calledOffP;
  };

  return Far('player', {
    // Promises that the stake is in its purse.
    ready: () => stakedP,

    play: (seat, how = harden({})) =>
      agent ~. takeSeat(
        seat,
        harden({
          srcP: source(how.source),
          dstP: how.destination === 'fake' ? disguised(dst) : dst,
          needed: how.needed === undefined ? needed : how.needed,
          cancellationP: cancellation(how.cancellation),
        }),
      ),

    cancel: reason => callOff(reason),
    answerCancellation: reason => answer(reason),
    bringSource: () => bringSrc(src),

    // What can be seen of the player's purses.
    look: () => Promise.all(harden([src ~. getBalance(), dst ~. getBalance()])),

    ping: () => undefined,
  });
};
