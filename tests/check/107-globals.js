// expect: none
export const f = (a, b, i) => {
  return harden([Nat(1), Math.max(1, 2), JSON.stringify(a), Object.keys(a), Promise.all(b), makeMap(), makeSet(), makePromise(a), BigInt(1), Error(b), TypeError(b), assert(a), confine(b), makePromiseKit(), E(a), Number(b), String(b), undefined]);
};
