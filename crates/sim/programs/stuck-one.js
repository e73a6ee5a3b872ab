export default () => {
  let n = 0;
  return Far('stuck', {
    ping: () => {
      n += 1;
      return n;
    },
  });
};
