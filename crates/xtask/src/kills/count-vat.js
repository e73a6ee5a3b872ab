export default () => {
  let count = 0;
  return Far('counter', {
    add: n => {
      count += n;
      return count;
    },
  });
};
