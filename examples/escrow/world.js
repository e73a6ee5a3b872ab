// @jessie-check
// Makes the five vats and introduces their roots to each other: Alice, who has 1000 money and wants stock, Bob, who
// has 2000 stock and wants money, an issuer for each currency, and the escrow agent. Who makes a vat holds
// its root, and can give it away; the vats themselves know only what they are given here.

export const makeWorld = (vats, aliceStake, bobStake) => {
  const agent = vats.make('./agent.js', harden({}));
  const money = vats.make('./issuer.js', harden({}));
  const stock = vats.make('./issuer.js', harden({}));
  const aliceMain = money ~. issue(1000);
  const bobMain = stock ~. issue(2000);

  const alice = vats.make(
    './player.js',
    harden({ agent, purse: aliceMain, emptyPurse: bobMain ~. makePurse(), stake: aliceStake, needed: 7 }),
  );
  const bob = vats.make(
    './player.js',
    harden({ agent, purse: bobMain, emptyPurse: aliceMain ~. makePurse(), stake: bobStake, needed: 10 }),
  );

  // What the purses hold, and what is missing from the currencies' totals: that is in escrow.
  const audit = () =>
    E.when(
      Promise.all(
        harden([aliceMain ~. getBalance(), bobMain ~. getBalance(), alice ~. look(), bob ~. look()]),
      ),
      ([moneyLeft, stockLeft, [aliceSrc, aliceDst], [bobSrc, bobDst]]) =>
        harden({
          totals: `Alice ${moneyLeft + aliceSrc} money, ${aliceDst} stock; Bob ${bobDst} money, ${stockLeft + bobSrc} stock`,
          purses: `${aliceSrc},${bobDst} / ${bobSrc},${aliceDst}`,
          escrow: `${1000 - moneyLeft - aliceSrc - bobDst},${2000 - stockLeft - bobSrc - aliceDst}`,
        }),
    );

  // A message to each vat, answered. It comes after all that waited there when it was sent.
  const round = () =>
    Promise.all(
      harden([agent ~. ping(), money ~. ping(), stock ~. ping(), alice ~. ping(), bob ~. ping()]),
    );

  const world = harden({ agent, alice, bob, audit, round });
  return E.when(Promise.all(harden([alice ~. ready(), bob ~. ready()])), _ => world);
};
