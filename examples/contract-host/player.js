// @jessie-check
// The program of a player's vat; Alice and Bob run one each. Both know the contract by heart: they have its text, and
// play only if the text they are offered is this very text. Alice has side 0 and pays money, Bob has side 1
// and pays stock.
//
//   powers = { host, money, stock }     purses of the player

import { swap } from './swap.js';

const never = () => makePromiseKit().promise;

export default ({ host, money, stock }) => {
  const known = `${swap}`;

  // Takes a side, and promises what has then arrived.
  const invite = (tokenP, source, side) => {
    if (source !== known) {
      throw Error('this is not the contract I know');
    }
    const [pays, gets, amount] = side === 0 ? [money, stock, 10] : [stock, money, 7];
    const src = pays ~. makePurse();
    const dst = gets ~. makePurse();
    const cancellationP = never();
    const argument =
      side === 0
        ? harden({ moneySrcP: src, stockDstP: dst, stockNeeded: 7, cancellationP })
        : harden({ stockSrcP: src, moneyDstP: dst, moneyNeeded: 10, cancellationP });
    return E.when(src ~. deposit(amount, pays), _ => host ~. play(tokenP, source, side, argument)).then(
      _ => dst ~. getBalance(),
    );
  };

  return Far('player', {
    invite,

    // Sets the contract up, and invites the other for the side that is left.
    tradeWell: (other, mySide) => {
      const tokensP = host ~. setup(known);
      const theirSide = 1 - mySide;
      const tokenFor = side => E.when(tokensP, tokens => tokens[+side]);
      const theirsP = other ~. invite(tokenFor(theirSide), known, theirSide);
      const mineP = invite(tokenFor(mySide), known, mySide);
      return E.when(theirsP, _ => mineP);
    },
  });
};
