export default () => {
  let count = 0;
  const kept = [];
  const self = Far('counter', {
    itself: () => self,
    up: () => {
      count += 1;
      return count;
    },
    fill: (bytes) => {
      // numbers in arrays of 32: eight bytes each
      for (let i = 0; i < bytes / 8; i += 32) {
        const a = [];
        for (let k = 0; k < 32; k += 1) a.push(i + k + 0.5);
        kept.push(a);
      }
      return kept.length;
    },
    // ten of them, far from each other
    probe: () => {
      let sum = 0;
      for (let i = 0; i < 10; i += 1) sum += kept[Math.floor((i * kept.length) / 10)][3];
      return sum;
    },
  });
  return self;
};
