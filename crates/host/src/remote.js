// The vat of `drses repl --connect`: entries are evaluated here, with what is far away bound to names.

export default ({ console, timer, net, random, refs }) => {
  const globals = { console, timer, net, random, ...refs };
  const compartment = new Compartment({ name: 'repl', globals, __options__: true });
  const quoted = text => `'${text.split('\\').join('\\\\').split("'").join("\\'").split('\n').join('\\n')}'`;
  const shown = value => (typeof value === 'string' ? quoted(value) : value);
  let promises = 0;

  return harden({
    /** Fulfilled when all that was named is there. */
    ready: () => Promise.all(Object.keys(refs).map(name => refs[name])).then(_ => undefined),

    /** Evaluates an entry and shows its value; `waits`: it is a promise that is waited for. */
    run: (text, waits) => {
      const value = compartment.evaluate(text);
      if (waits) {
        return E.when(value, result => console.log(shown(result)));
      }
      if (value instanceof Promise) {
        promises += 1;
        const number = promises;
        console.log(`#${number} is promised`);
        // a rejection that nobody handles is told by the host
        E.when(value, result => console.log(`#${number} is`, shown(result)));
      } else {
        console.log(shown(value));
      }
      return undefined;
    },
  });
};
