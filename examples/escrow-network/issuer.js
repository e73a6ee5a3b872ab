// @jessie-check
// The program of an issuer's host: one currency. It mints one purse for each amount it is given, prints a
// sturdyref of each, and makes no more units after that. Its root knows the sum of all purses, and is no purse.
//
// As in `../mint/mint.js`: a deposit happens entirely or not at all, every balance is a whole number, and all
// purses share one `makePurse`. Here the books can be summed up: they list the purses that hold something.

export default ({ console, net, args }) => {
  const [name, ...amounts] = args;
  const purses = makeWeakSet();
  const books = makeMap();
  let deposits = 0;

  const balance = purse => (books.has(purse) ? books.get(purse) : 0);
  const set = (purse, units) => (units === 0 ? books.delete(purse) : books.set(purse, units));

  const mint = units => {
    const purse = Far('purse', {
      getBalance: () => balance(purse),

      makePurse,

      // Moves `amount` units here from the purse that `sourceP` is, or promises to be.
      deposit: (amount, sourceP) =>
        E.when(sourceP, source => {
          Nat(balance(purse) + Nat(amount));
          if (!purses.has(source)) {
            throw TypeError('the source is not a purse of this currency');
          }
          set(source, Nat(balance(source) - amount));
          // Read only now: the source may be this very purse.
          set(purse, balance(purse) + amount);
          deposits += 1;
        }),
    });
    purses.add(purse);
    set(purse, Nat(units));
    return purse;
  };

  const makePurse = () => mint(0);

  amounts.forEach((amount, i) =>
    E.when(net.export(mint(Number(amount))), uri => console.log(`${name} purse ${i + 1} ${uri}`)),
  );

  return Far('issuer', {
    total: () => {
      let sum = 0;
      books.forEach(units => {
        sum += units;
      });
      return sum;
    },
    deposits: () => deposits,
  });
};
