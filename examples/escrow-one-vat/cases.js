// @jessie-check
// Eighteen ways a deal can go. Each case says what is played in a fresh world, and what must be seen.
//
// `play(world)` makes the deal, or two, and returns the promised decisions. The `acts` follow one by one, each
// when all has come to rest. `sights` says what is to be seen at every rest: the first before any act, then
// one after each act.

import { makeMint } from '../mint/mint.js';
import { escrowExchange } from './escrow.js';
import { refunded, sight, swapped } from './sights.js';

const never = () => makePromiseKit().promise;

// Alice gives 10 money, Bob gives 7 stock, and nobody cancels; but for what a case says otherwise.
const deal = (world, aliceDiffers, bobDiffers) => {
  const a = harden({
    moneySrcP: world.aliceSrc,
    stockDstP: world.aliceDst,
    stockNeeded: 7,
    cancellationP: never(),
    ...aliceDiffers,
  });
  const b = harden({
    stockSrcP: world.bobSrc,
    moneyDstP: world.bobDst,
    moneyNeeded: 10,
    cancellationP: never(),
    ...bobDiffers,
  });
  return escrowExchange(a, b);
};

// One deal and nothing after it. `differences(world)` may say how `alice` and `bob` differ.
const only = differences => world => {
  const { alice, bob } = differences(world);
  return harden({ decisions: [deal(world, alice, bob)], acts: [] });
};

const fakePurse = makePurse =>
  Far('fake purse', {
    makePurse,
    getBalance: () => 10,
    deposit: (_amount, _source) => undefined,
  });

export const makeCases = () =>
  harden([
    {
      name: 'E1',
      story: 'both pay',
      play: only(_ => harden({})),
      sights: [swapped()],
    },
    {
      name: 'E2',
      story: 'Alice cancels while Bob is not ready',
      play: world => {
        const { promise: cancellationP, reject: cancel } = makePromiseKit();
        return harden({
          decisions: [deal(world, harden({ cancellationP }), harden({ stockSrcP: never() }))],
          acts: [() => cancel('Alice is tired of waiting')],
        });
      },
      sights: [sight('0,0 / 7,0', 'pending', '10,0'), refunded('Alice is tired of waiting')],
    },
    {
      name: 'E3',
      story: 'Alice answers her cancellation',
      play: world => {
        const { promise: cancellationP, resolve: cancel } = makePromiseKit();
        return harden({
          decisions: [deal(world, harden({ cancellationP }), harden({ stockSrcP: never() }))],
          acts: [() => cancel('no hard feelings')],
        });
      },
      sights: [sight('0,0 / 7,0', 'pending', '10,0'), refunded('no hard feelings')],
    },
    {
      name: 'E4',
      story: 'Bob has 3 of 7',
      funds: { alice: 10, bob: 3 },
      play: only(_ => harden({})),
      sights: [sight('10,0 / 3,0', 'rejected: RangeError: negative')],
    },
    {
      name: 'E5',
      story: 'Alice has 9 of 10',
      funds: { alice: 9, bob: 7 },
      play: only(_ => harden({})),
      sights: [sight('9,0 / 7,0', 'rejected: RangeError: negative')],
    },
    {
      name: 'E6',
      story: 'Bob demands 11',
      play: only(_ => harden({ bob: { moneyNeeded: 11 } })),
      sights: [refunded('RangeError: negative')],
    },
    {
      name: 'E7',
      story: 'Alice pays in a currency of her own',
      play: only(_ => harden({ alice: { moneySrcP: makeMint()(10) } })),
      sights: [refunded('Error: not the same')],
    },
    {
      name: 'E8',
      story: 'Alice brings a fake with its own makePurse',
      play: only(_ => harden({ alice: { moneySrcP: fakePurse(() => fakePurse(undefined)) } })),
      sights: [refunded('Error: not the same')],
    },
    {
      name: 'E9',
      story: 'Alice brings a fake with the real makePurse',
      play: only(world => harden({ alice: { moneySrcP: fakePurse(world.aliceSrc.makePurse) } })),
      sights: [refunded('TypeError: the source is not a purse of this currency')],
    },
    {
      name: 'E10',
      story: 'Bob wants to be paid into a fake',
      play: only(world => harden({ bob: { moneyDstP: fakePurse(world.bobDst.makePurse) } })),
      sights: [sight('0,0 / 0,7', 'ok', '10,0')],
    },
    {
      name: 'E11',
      story: 'Alice cancels when all is done',
      play: world => {
        const { promise: cancellationP, reject: cancel } = makePromiseKit();
        return harden({
          decisions: [deal(world, harden({ cancellationP }))],
          acts: [() => cancel('too late')],
        });
      },
      sights: [swapped(), swapped()],
    },
    {
      name: 'E12',
      story: 'Alice had cancelled before the start',
      play: only(_ => harden({ alice: { cancellationP: Promise.reject('Alice never wanted to') } })),
      sights: [refunded('Alice never wanted to')],
    },
    {
      name: 'E13',
      story: 'Alice cancels, then her purse arrives',
      play: world => {
        const { promise: cancellationP, reject: cancel } = makePromiseKit();
        const { promise: moneySrcP, resolve: bringPurse } = makePromiseKit();
        return harden({
          decisions: [deal(world, harden({ cancellationP, moneySrcP }))],
          acts: [() => cancel('Alice has no time'), () => bringPurse(world.aliceSrc)],
        });
      },
      sights: [
        sight('10,0 / 0,0', 'pending', '0,7'),
        refunded('Alice has no time'),
        refunded('Alice has no time'),
      ],
    },
    {
      name: 'E14',
      story: 'Alice forgets her cancellation',
      play: only(_ => harden({ alice: { cancellationP: undefined } })),
      sights: [refunded('undefined')],
    },
    {
      name: 'E15',
      story: "Alice's purse never arrives; Bob cancels at last",
      play: world => {
        const { promise: cancellationP, reject: cancel } = makePromiseKit();
        return harden({
          decisions: [deal(world, harden({ moneySrcP: never() }), harden({ cancellationP }))],
          acts: [() => cancel('Bob has waited enough')],
        });
      },
      sights: [sight('10,0 / 0,0', 'pending', '0,7'), refunded('Bob has waited enough')],
    },
    {
      name: 'E16',
      story: 'Bob demands -10',
      play: only(_ => harden({ bob: { moneyNeeded: -10 } })),
      sights: [refunded('RangeError: negative')],
    },
    {
      name: 'E17',
      story: 'Alice demands 6.5',
      play: only(_ => harden({ alice: { stockNeeded: 6.5 } })),
      sights: [refunded('RangeError: not integral')],
    },
    {
      name: 'E18',
      story: 'Alice pays for two deals from one purse',
      funds: { alice: 10, bob: 14 },
      play: world => harden({ decisions: [deal(world), deal(world)], acts: [] }),
      sights: [sight('0,10 / 7,7', 'ok, then rejected: RangeError: negative')],
    },
  ]);
