export default ({ purse, seed }) => {
  let state = seed;
  const below = n => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state % n;
  };
  return Far('trader', {
    balance: () => purse ~. balance(),
    pay: async payment => purse ~. deposit(await payment),
    trade: async (other, n) => {
      let paid = 0;
      for (let i = 0; i < n; i += 1) {
        const amount = below(20);
        const payment = purse ~. withdraw(amount);
        if (i % 2 === 0) {
          const got = await (other ~. pay(payment));
          if (got !== amount) throw Error(`${got} of ${amount} arrived`);
        } else {
          const got = await (other ~. pay(await payment));
          if (got !== amount) throw Error(`${got} of ${amount} arrived`);
        }
        paid += 1;
      }
      return paid;
    },
  });
};
