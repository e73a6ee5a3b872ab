// @jessie-check
// Gives back what it gets, as long as it is told to stay: `drses run --listen tcp-testing-only://127.0.0.1:0 server.js`.

export default ({ timer }) => {
  // what is waited for keeps the process
  E.when(timer.delay(1e9), _ => undefined);
  return harden({ echo: (n, text) => harden([n, text]) });
};
