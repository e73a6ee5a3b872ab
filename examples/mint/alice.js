// @jessie-check
// Alice buys from Bob. She keeps her money in `mainPurse` and pays with purses made for the occasion.

export const makeAlice = mainPurse => {
  // A new purse, holding `amount`, once the deposit has gone through.
  const payWith = amount => {
    const paymentP = mainPurse ~. makePurse();
    const paidP = paymentP ~. deposit(amount, mainPurse);
    return paidP.then(_ => paymentP);
  };

  return Far('Alice', {
    payBobWell: bob => bob ~. buy('shoe', payWith(10)),

    // A purse of her own making, which claims that every deposit went well.
    payBobBadly1: bob => {
      const fakePurse = Far('fake purse', {
        getBalance: () => 10,
        makePurse: () => fakePurse,
        deposit: (_amount, _source) => undefined,
      });
      return bob ~. buy('shoe', fakePurse);
    },

    // A real purse with too little in it.
    payBobBadly2: bob => bob ~. buy('shoe', payWith(5)),
  });
};
