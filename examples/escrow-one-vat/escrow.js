// @jessie-check
// An escrow agent: two strangers exchange money for stock, and either both transfers happen or neither.
//
// `escrowExchange(a, b)` promises the decision. It is fulfilled once both sides' assets are in escrow, and
// rejected as soon as one of them cannot be put there or either player cancels. Nobody need trust the issuer
// of a currency but those who deal in it, and the agent trusts no purse: it asks both ends of a transfer
// for `makePurse` and goes on only if they name one and the same issuer.
//
//   a = { moneySrcP, stockDstP, stockNeeded, cancellationP }
//   b = { stockSrcP, moneyDstP, moneyNeeded, cancellationP }

// Identity as a promise keeps it: NaN is itself, and 0 is not -0.
const sameAs = (x, y) => {
  if (x === y) {
    return x !== 0 || 1 / x === 1 / y;
  }
  return x !== x && y !== y;
};

// A promise for the one thing that both promises designate, rejected if they designate two.
export const join = (xP, yP) =>
  E.when(Promise.all(harden([xP, yP])), ([x, y]) => {
    if (!sameAs(x, y)) {
      throw Error('not the same');
    }
    return x;
  });

// Rejects with what `cancellationP` comes to, be it an answer or an error; it never fulfils.
const failOnly = cancellationP =>
  E.when(cancellationP, reason => {
    throw reason;
  });

// Moves `amount` into escrow and promises that it is there. Then follows the decision: on to the destination,
// or back to the source.
const transfer = (decisionP, srcP, dstP, amount) => {
  const makeEscrowPurseP = join(srcP ~. makePurse, dstP ~. makePurse);
  const escrowP = makeEscrowPurseP ~. ();
  const escrowedP = escrowP ~. deposit(amount, srcP);

  // A cancellation may come before the assets have. The refund waits for them, whenever that is;
  // if they never come, there is nothing to give back.
  const refund = () =>
    E.when(
      escrowedP,
      _ => srcP ~. deposit(amount, escrowP),
      _ => undefined,
    );

  E.when(
    decisionP,
    _ => dstP ~. deposit(amount, escrowP),
    _ => refund(),
  );
  return escrowedP;
};

export const escrowExchange = (a, b) => {
  const { promise: decisionP, resolve: decide } = makePromiseKit();

  const bothEscrowedP = Promise.all(
    harden([
      transfer(decisionP, a.moneySrcP, b.moneyDstP, b.moneyNeeded),
      transfer(decisionP, b.stockSrcP, a.stockDstP, a.stockNeeded),
    ]),
  );

  decide(Promise.race(harden([bothEscrowedP, failOnly(a.cancellationP), failOnly(b.cancellationP)])));
  return decisionP;
};
