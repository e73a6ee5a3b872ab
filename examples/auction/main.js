// @jessie-check
// An auctioneer, a seller and two bidders in four vats. The auctioneer is the only one whom the others trust.

export default ({ console, timer, vats }) => {
  const auctioneer = vats.make('./auctioneer.js', harden({}));
  const seller = vats.make('./seller.js', harden({ auctioneer, console }));
  const ada = vats.make('./bidder.js', harden({ auctioneer, name: 'Ada', console }));
  const bob = vats.make('./bidder.js', harden({ auctioneer, name: 'Bob', console }));

  const everybody = harden([auctioneer, seller, ada, bob]);

  // So that the story is told in order: all vats have answered so often that whatever was caused is over. (What is
  // read here is not there. The answer is what counts.)
  const settle = (rounds = 8) =>
    rounds === 0
      ? timer ~. delay(1)
      : E.when(Promise.all(everybody.map(vat => vat ~. nothing)), _ => settle(rounds - 1));

  const inOrder = steps =>
    steps.reduce((doneP, step) => E.when(doneP, _ => E.when(step(), _ => settle())), undefined);

  const lamp = seller ~. sell('a lamp', 10);
  return E.when(lamp ~. token(), token =>
    inOrder(
      harden([
        () => ada ~. bid(token, 9),
        () => ada ~. bid(token, 10),
        () => bob ~. bid(token, 10),
        () => bob ~. bid(token, 12),
        () => ada ~. bid(token, 15),
        () => ada ~. bid(token, 15.5),
        () => lamp ~. end(),
        () => bob ~. bid(token, 20),
      ]),
    ),
  ).then(_ => {
    const brick = seller ~. sell('a brick', 1);
    return brick ~. end();
  });
};
