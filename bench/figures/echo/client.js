// @jessie-check
// `drses run --ref echo=STURDYREF client.js CALLS OUTSTANDING`: prints how many seconds the calls took.

export default ({ console, timer, refs, args }) => {
  const { echo } = refs;
  const [calls, outstanding] = [Number(args[0]), Number(args[1])];

  const run = count => {
    const { promise: doneP, resolve: done } = makePromiseKit();
    let sent = 0;
    let heard = 0;
    const next = () => {
      if (sent < count) {
        sent += 1;
        E.when(echo ~. echo(sent, 'hello'), _ => {
          heard += 1;
          if (heard === count) {
            done(undefined);
          } else {
            next();
          }
        });
      }
    };
    for (let i = 0; i < outstanding; i += 1) {
      next();
    }
    return doneP;
  };

  return E.when(run(calls / 10), _ =>
    E.when(timer.now(), begun => E.when(run(calls), _ => E.when(timer.now(), ended => console.log((ended - begun) / 1000)))),
  );
};
