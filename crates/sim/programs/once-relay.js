export default () => {
  const passed = [];
  return Far('relay', {
    pass: (to, n) => {
      const answer = to ~. count(n);
      passed.push(answer);
      return answer;
    },
    flush: async () => {
      await Promise.all(passed);
      return passed.length;
    },
  });
};
