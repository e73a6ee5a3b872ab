// @jessie-check
// Bob sells. He need not examine what a buyer hands him: he asks his own purse to take the money from it,
// and only a genuine purse holding enough makes that succeed.

const priceOf = desc => {
  switch (desc) {
    case 'shoe': {
      return harden({ good: 'If it fits, ware it.', price: 10 });
    }
    default: {
      throw Error(`unknown desc: ${desc}`);
    }
  }
};

export const makeBob = mainPurse =>
  Far('Bob', {
    buy: (desc, paymentP) => {
      const { good, price } = priceOf(desc);
      const paidP = mainPurse ~. deposit(price, paymentP);
      return paidP.then(_ => good);
    },
  });
