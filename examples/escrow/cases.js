// @jessie-check
// The eighteen cases of `escrow-one-vat`, played by five vats. A case says how Alice and Bob play, how much they
// stake (10 money and 7 stock, where it says nothing), how many deals they are in at once, what somebody does
// when all has come to rest, and what is to be seen at every rest.

import { refunded, sight, swapped } from '../escrow-one-vat/sights.js';

export const makeCases = () =>
  harden([
    { name: 'E1', story: 'both pay', sights: [swapped()] },
    {
      name: 'E2',
      story: 'Alice cancels while Bob is not ready',
      bob: { source: 'never comes' },
      acts: [({ alice }) => alice ~. cancel('Alice is tired of waiting')],
      sights: [sight('0,0 / 7,0', 'pending', '10,0'), refunded('Alice is tired of waiting')],
    },
    {
      name: 'E3',
      story: 'Alice answers her cancellation',
      bob: { source: 'never comes' },
      acts: [({ alice }) => alice ~. answerCancellation('no hard feelings')],
      sights: [sight('0,0 / 7,0', 'pending', '10,0'), refunded('no hard feelings')],
    },
    {
      name: 'E4',
      story: 'Bob has 3 of 7',
      stakes: { alice: 10, bob: 3 },
      sights: [sight('10,0 / 3,0', 'rejected: RangeError: negative')],
    },
    {
      name: 'E5',
      story: 'Alice has 9 of 10',
      stakes: { alice: 9, bob: 7 },
      sights: [sight('9,0 / 7,0', 'rejected: RangeError: negative')],
    },
    { name: 'E6', story: 'Bob demands 11', bob: { needed: 11 }, sights: [refunded('RangeError: negative')] },
    {
      name: 'E7',
      story: 'Alice pays in a currency of her own',
      alice: { source: 'other currency' },
      sights: [refunded('Error: not the same')],
    },
    {
      name: 'E8',
      story: 'Alice brings a fake with its own makePurse',
      alice: { source: 'fake' },
      sights: [refunded('Error: not the same')],
    },
    {
      name: 'E9',
      story: 'Alice brings a fake with the real makePurse',
      alice: { source: 'fake with the real makePurse' },
      sights: [refunded('TypeError: the source is not a purse of this currency')],
    },
    {
      name: 'E10',
      story: 'Bob wants to be paid into a fake',
      bob: { destination: 'fake' },
      sights: [sight('0,0 / 0,7', 'ok', '10,0')],
    },
    {
      name: 'E11',
      story: 'Alice cancels when all is done',
      acts: [({ alice }) => alice ~. cancel('too late')],
      sights: [swapped(), swapped()],
    },
    {
      name: 'E12',
      story: 'Alice had cancelled before the start',
      alice: { cancellation: 'already' },
      sights: [refunded('Alice never wanted to')],
    },
    {
      name: 'E13',
      story: 'Alice cancels, then her purse arrives',
      alice: { source: 'comes late' },
      acts: [
        ({ alice }) => alice ~. cancel('Alice has no time'),
        ({ alice }) => alice ~. bringSource(),
      ],
      sights: [
        sight('10,0 / 0,0', 'pending', '0,7'),
        refunded('Alice has no time'),
        refunded('Alice has no time'),
      ],
    },
    {
      name: 'E14',
      story: 'Alice forgets her cancellation',
      alice: { cancellation: 'forgotten' },
      sights: [refunded('undefined')],
    },
    {
      name: 'E15',
      story: "Alice's purse never arrives; Bob cancels at last",
      alice: { source: 'never comes' },
      acts: [({ bob }) => bob ~. cancel('Bob has waited enough')],
      sights: [sight('10,0 / 0,0', 'pending', '0,7'), refunded('Bob has waited enough')],
    },
    { name: 'E16', story: 'Bob demands -10', bob: { needed: -10 }, sights: [refunded('RangeError: negative')] },
    {
      name: 'E17',
      story: 'Alice demands 6.5',
      alice: { needed: 6.5 },
      sights: [refunded('RangeError: not integral')],
    },
    {
      name: 'E18',
      story: 'Alice pays for two deals from one purse',
      stakes: { alice: 10, bob: 14 },
      deals: [1, 2],
      sights: [sight('0,10 / 7,7', 'one ok, one rejected: RangeError: negative')],
    },
  ]);
