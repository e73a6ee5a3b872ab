// @jessie-check
// The world of one case: Alice has money and wants stock, Bob has stock and wants money. Each has put what
// the deal will take into a purse of its own, and has an empty one for what is to come.

import { makeMint } from '../mint/mint.js';

export const makeWorld = (aliceFunds, bobFunds) => {
  const mintMoney = makeMint();
  const mintStock = makeMint();
  const aliceMain = mintMoney(1000);
  const bobMain = mintStock(2000);

  const aliceSrc = aliceMain.makePurse();
  const aliceDst = bobMain.makePurse();
  const bobSrc = bobMain.makePurse();
  const bobDst = aliceMain.makePurse();

  // What the four purses hold, and what is missing from the currencies' totals: that is in escrow.
  const audit = () => {
    const moneyVisible = aliceMain.getBalance() + aliceSrc.getBalance() + bobDst.getBalance();
    const stockVisible = bobMain.getBalance() + bobSrc.getBalance() + aliceDst.getBalance();
    return harden({
      purses: `${aliceSrc.getBalance()},${bobDst.getBalance()} / ${bobSrc.getBalance()},${aliceDst.getBalance()}`,
      escrow: `${1000 - moneyVisible},${2000 - stockVisible}`,
    });
  };

  const world = harden({ mintMoney, aliceSrc, aliceDst, bobSrc, bobDst, audit });
  const fundedP = Promise.all(
    harden([aliceSrc ~. deposit(aliceFunds, aliceMain), bobSrc ~. deposit(bobFunds, bobMain)]),
  );
  return fundedP.then(_ => world);
};
