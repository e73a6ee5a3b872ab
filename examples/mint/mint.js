// @jessie-check
// Money. `makeMint()` starts a currency and returns its one `mint` function, which creates new units.
//
// What holds, whatever the holders of purses do:
// - only `mint` makes units; a deposit moves them and never changes their sum;
// - to be given a purse as the source of a deposit is the only way to draw on it;
// - a deposit happens entirely or not at all: every check comes before every effect;
// - every balance is a whole number from 0 to 2^53 - 1;
// - all purses of one currency share one `makePurse`, by which others can tell the currency.

export const makeMint = () => {
  // The books of this currency: how many units each of its purses holds.
  const books = makeWeakMap();

  const mint = balance => {
    const purse = Far('purse', {
      getBalance: () => books.get(purse),

      makePurse,

      // Moves `amount` units here from the purse that `sourceP` is, or promises to be.
      deposit: (amount, sourceP) =>
        E.when(sourceP, source => {
          Nat(books.get(purse) + amount);
          if (!books.has(source)) {
            throw TypeError('the source is not a purse of this currency');
          }
          books.set(source, Nat(books.get(source) - Nat(amount)));
          // Read only now: the source may be this very purse.
          books.set(purse, books.get(purse) + amount);
        }),
    });
    books.set(purse, balance);
    return purse;
  };

  const makePurse = () => mint(0);

  return mint;
};
