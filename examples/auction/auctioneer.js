// @jessie-check
// The program of an auctioneer's vat: first-price auctions. The highest bid wins what the seller puts up, a *seat*,
// and is what the seller is told.
//
// `makeAuction(minBid, stopP, seatP)` promises `{ token, outcomeP }`. Who holds the token can bid; the auction ends when
// `stopP` is settled, whichever way. `placeBid(token, bid)` promises the seat: the promise is rejected as soon as
// somebody bids more, and fulfilled if nobody has when the auction ends. `outcomeP` is the highest bid.

export default () => {
  // For each token of a running auction, how to bid in it.
  const running = makeWeakMap();

  const makeAuction = (minBid, stopP, seatP) => {
    const token = Far('auction', {});
    let highest = Nat(minBid) - 1;
    // The promise that is still to be decided, of who bid most; of nobody at first.
    let best = undefined;

    const bidMore = bid => {
      if (Nat(bid) <= highest) {
        throw Error(`bid too low. Minimum bid: ${highest + 1}`);
      }
      if (best !== undefined) {
        best.reject(Error(`outbid: somebody bid ${bid}`));
      }
      highest = bid;
      best = makePromiseKit();
      return best.promise;
    };

    const close = () => {
      running.delete(token);
      if (best === undefined) {
        throw Error('no bids');
      }
      best.resolve(seatP);
      return highest;
    };

    running.set(token, bidMore);
    const outcomeP = E.when(stopP, close, close);
    return harden({ token, outcomeP });
  };

  const placeBid = (token, bid) => {
    if (!running.has(token)) {
      throw Error('no running auction has this token');
    }
    return running.get(token)(bid);
  };

  return Far('auctioneer', { makeAuction, placeBid });
};
