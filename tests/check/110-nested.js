// expect: none
export const f = (a, b, i) => {
  return harden({ list: [1, { deep: [] }], m: () => harden([]) });
};
