// @jessie-check
// The program of a seller's vat. He decides when an auction ends, and needs not trust the bidders.

export default ({ auctioneer, console }) => {
  const tell = text => console.log(`  seller: ${text}`);

  return Far('seller', {
    // Puts a thing up. The sale has the token for bidders, and ends the auction when it is told to.
    sell: (text, minBid) => {
      const { promise: stopP, resolve: stop } = makePromiseKit();
      // Whoever has won sees the thing when the seller knows that it is sold.
      const thing = Far('thing', { show: () => E.when(doneP, _ => text) });
      const auctionP = auctioneer ~. makeAuction(minBid, stopP, thing);
      const doneP = E.when(
        auctionP ~. outcomeP,
        price => tell(`${text} is sold for ${price}`),
        error => tell(`${text} is not sold, ${error.message}`),
      );
      tell(`${text}, for ${minBid} or more`);
      return Far('sale', {
        token: () => auctionP ~. token,
        end: () => {
          stop(undefined);
          return doneP;
        },
      });
    },
  });
};
