export default ({ name }) => {
  const entries = [];
  const self = Far(name, {
    note: (tag, n) => {
      entries.push({ tag, n });
    },
    // resolved after some turns of waiting on an object elsewhere
    laterThird: async (thirdP, turns) => {
      for (let i = 0; i < turns; i += 1) await (thirdP ~. ping());
      return thirdP;
    },
    laterSelf: async turns => {
      for (let i = 0; i < turns; i += 1) await null;
      return self;
    },
    ping: () => true,
    entries: () => harden([...entries]),
  });
  return self;
};
