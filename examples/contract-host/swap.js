// @jessie-check
// A contract that travels as text: an exchange of money for stock, all or nothing, as in `escrow-one-vat`. It names
// nothing outside itself but what every host gives to a contract, and its answer comes when all is
// paid out. It says `E(x).m()` where it could say `x ~. m()`: so the text is one and the same under every engine.
//
//   a = { moneySrcP, stockDstP, stockNeeded, cancellationP }
//   b = { stockSrcP, moneyDstP, moneyNeeded, cancellationP }

export const swap = (a, b) => {
  const join = (xP, yP) =>
    E.when(Promise.all(harden([xP, yP])), ([x, y]) => {
      if (x !== y) {
        throw Error('not the same');
      }
      return x;
    });

  const failOnly = cancellationP =>
    E.when(cancellationP, reason => {
      throw reason;
    });

  const { promise: decisionP, resolve: decide } = makePromiseKit();

  // Phase 1 promises that `amount` is in escrow; phase 2 follows the decision.
  const transfer = (srcP, dstP, amount) => {
    const escrowP = E(join(E.get(srcP).makePurse, E.get(dstP).makePurse))();
    const escrowedP = E(escrowP).deposit(amount, srcP);
    const refund = reason =>
      E.when(
        escrowedP,
        _ => E(srcP).deposit(amount, escrowP),
        _ => undefined,
      ).then(_ => {
        throw reason;
      });
    const doneP = E.when(decisionP, _ => E(dstP).deposit(amount, escrowP), refund);
    return harden({ escrowedP, doneP });
  };

  const money = transfer(a.moneySrcP, b.moneyDstP, b.moneyNeeded);
  const stock = transfer(b.stockSrcP, a.stockDstP, a.stockNeeded);
  const bothP = Promise.all(harden([money.escrowedP, stock.escrowedP]));
  decide(Promise.race(harden([bothP, failOnly(a.cancellationP), failOnly(b.cancellationP)])));
  return Promise.all(harden([money.doneP, stock.doneP]));
};
