// expect: none
export const makeCounter = () => {
  let count = 0;
  return harden({
    up: () => {
      count += 1;
      return count;
    },
    get value() {
      return count;
    },
  });
};
