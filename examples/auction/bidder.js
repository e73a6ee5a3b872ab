// @jessie-check
// The program of a bidder's vat. It says what it does and what comes of it on the console that it was given.

export default ({ auctioneer, name, console }) => {
  const tell = text => console.log(`  ${name}: ${text}`);

  return Far('bidder', {
    // Promises that the bid has been taken up, and tells what becomes of it, whenever that is.
    bid: (token, amount) => {
      tell(`I bid ${amount}`);
      const seatP = auctioneer ~. placeBid(token, amount);
      E.when(
        seatP,
        seat => E.when(seat ~. show(), text => tell(`I have won ${text}`)),
        error => tell(`my ${amount} failed, ${error.message}`),
      );
    },
  });
};
