// @jessie-check
// The program of a contract host's vat: it runs contracts that others wrote, between players who trust the host
// and nobody else.
//
// `setup(source)` takes the text of a function, the contract, and promises one token for each of its parameters.
// `play(token, source, side, argument)` takes part: the token must be live, and the text and the side must be
// those it was made for, so that a player who was handed a token knows what he plays. A play that fails leaves the
// token live. When all sides are taken and all their arguments are there, the contract is called, and every
// player has the same answer.

export default () => {
  // For each live token, what it was made for.
  const live = makeWeakMap();

  const setup = sourceP =>
    E.when(sourceP, given => {
      const source = `${given}`;
      // The contract may be anybody's. It is given means to send, nothing to send to.
      const contract = confine(source, harden({ E, Far, harden, makePromiseKit }));

      const places = Array.from(harden({ length: contract.length }), _ => makePromiseKit());
      const argsP = Promise.all(harden(places.map(({ promise }) => promise)));
      const answerP = E.when(argsP, args => contract(...args));

      const tokens = places.map(({ resolve }, side) => {
        const token = Far('token', {});
        const take = argument => {
          resolve(argument);
          return answerP;
        };
        live.set(token, harden({ source, side, take }));
        return token;
      });
      return harden(tokens);
    });

  const play = (tokenP, allegedSource, allegedSide, argument) =>
    E.when(tokenP, token => {
      if (!live.has(token)) {
        throw TypeError('no live token of this host');
      }
      const { source, side, take } = live.get(token);
      if (allegedSource !== source) {
        throw Error(`unexpected contract: ${allegedSource}`);
      }
      if (allegedSide !== side) {
        throw Error(`unexpected side: ${allegedSide}`);
      }
      live.delete(token);
      return take(argument);
    });

  return Far('contract host', { setup, play });
};
