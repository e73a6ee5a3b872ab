// @jessie-check
// The program of an issuer's vat: one currency. Its root can make units, so only who owns the currency holds it;
// the others hold purses.

import { makeMint } from '../mint/mint.js';

export default () => {
  const mint = makeMint();
  return Far('issuer', {
    issue: amount => mint(amount),
    ping: () => undefined,
  });
};
