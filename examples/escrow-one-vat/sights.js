// @jessie-check
// What is to be seen of a case when all is at rest: the balances of the purses, what is in escrow, the decision.

export const sight = (purses, decision, escrow = '0,0') => harden({ purses, decision, escrow });

export const swapped = () => sight('0,10 / 0,7', 'ok');
export const refunded = reason => sight('10,0 / 7,0', `rejected: ${reason}`);
