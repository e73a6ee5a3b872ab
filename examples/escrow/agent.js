// @jessie-check
// The program of the escrow agent's vat. It knows neither the players nor the issuers.
//
// `makeDeal()` gives out two seats, one for the player who pays money and one for the player who pays stock.
// `takeSeat(seat, side)` promises the decision. A seat is a token: it has no methods, and only the agent can tell
// what it stands for. So a player who was handed a seat by a stranger shows what he stakes to the agent, whom he
// chose, and not to the seat.
//
//   side = { srcP, dstP, needed, cancellationP }

import { escrowExchange } from '../escrow-one-vat/escrow.js';

export default () => {
  // For each seat that is still free, what is to be done with the side that takes it.
  const free = makeWeakMap();

  const makeSeat = (name, decisionP) => {
    const { promise: sideP, resolve } = makePromiseKit();
    const seat = Far(name, {});
    const take = side => {
      resolve(side);
      return decisionP;
    };
    free.set(seat, take);
    return harden({ seat, sideP });
  };

  return Far('escrow agent', {
    makeDeal: () => {
      const { promise: decisionP, resolve: decide } = makePromiseKit();
      const money = makeSeat('money seat', decisionP);
      const stock = makeSeat('stock seat', decisionP);
      const bothP = Promise.all(harden([money.sideP, stock.sideP]));
      decide(
        E.when(bothP, ([a, b]) =>
          escrowExchange(
            harden({
              moneySrcP: a.srcP,
              stockDstP: a.dstP,
              stockNeeded: a.needed,
              cancellationP: a.cancellationP,
            }),
            harden({
              stockSrcP: b.srcP,
              moneyDstP: b.dstP,
              moneyNeeded: b.needed,
              cancellationP: b.cancellationP,
            }),
          ),
        ),
      );
      return harden({ moneySeat: money.seat, stockSeat: stock.seat });
    },

    takeSeat: (seatP, side) =>
      E.when(seatP, seat => {
        if (!free.has(seat)) {
          throw TypeError('no seat of mine, or already taken');
        }
        const take = free.get(seat);
        free.delete(seat);
        return take(side);
      }),

    ping: () => undefined,
  });
};
