export default () => {
  const made = [];
  return Far('echo', {
    echo: n => n,
    thing: i => (made[i] ??= Far(`thing ${i}`, { i: () => i })),
  });
};
