// @jessie-check
// The program of the owner's vat: a lamp that tells its listeners what happens to it.

export default ({ console }) => {
  const listeners = makeSet();

  const tell = (listener, state) =>
    E.when(
      listener ~. changed(state),
      _ => undefined,
      error => console.log(`  the lamp cannot tell a listener: ${error.message}`),
    );

  const become = state => {
    console.log(`  the lamp is ${state}`);
    // One after the other, so that the story is always the same.
    const toldP = Array.from(listeners).reduce(
      (lastP, listener) => E.when(lastP, _ => tell(listener, state)),
      undefined,
    );
    return E.when(toldP, _ => state);
  };

  return Far('lamp', {
    turnOn: () => become('on'),
    turnOff: () => become('off'),
    watch: listener => {
      listeners.add(listener);
    },
  });
};
