export default () =>
  Far('decider', {
    // resolved after some turns to what it was given
    give: async (x, waiter, turns) => {
      for (let i = 0; i < turns; i += 1) await (waiter ~. ping());
      return x;
    },
    ping: () => true,
  });
