export default () => {
  const balances = new WeakMap();
  const all = [];
  const make = amount => {
    const purse = Far('purse', {
      balance: () => balances.get(purse),
      withdraw: n => {
        const has = balances.get(purse);
        if (!(n >= 0 && n <= has)) throw Error('no funds');
        balances.set(purse, has - n);
        return make(n);
      },
      deposit: from => {
        const n = balances.get(from);
        if (n === undefined || from === purse) throw Error('no purse');
        balances.set(from, 0);
        balances.set(purse, balances.get(purse) + n);
        const total = all.reduce((sum, p) => sum + balances.get(p), 0);
        if (total % 100 !== 0) throw Error(`the bank holds ${total}`);
        return n;
      },
    });
    balances.set(purse, amount);
    all.push(purse);
    return purse;
  };
  return Far('bank', { issue: n => make(n), total: () => all.reduce((sum, p) => sum + balances.get(p), 0) });
};
