// @jessie-check
// What the guests brought. The texts are SES modules; they are not checked, and nothing in them is
// trusted. (`E(log)(x)` is `log ~. (x)` for any engine.)

export const texts = harden({
  good: {
    name: 'Fibonacci',
    source: `
export default ({ log, greeting }) => {
  E(log)(greeting);
  const fib = n => (n < 2 ? n : fib(n - 1) + fib(n - 2));
  return Far('guest', { work: n => fib(n) });
};`,
  },

  curious: {
    name: 'The curious',
    source: `
const look = powers => {
  const found = [];
  if (typeof process !== 'undefined') { found.push('process'); }
  if (typeof require !== 'undefined') { found.push('require'); }
  if (typeof fetch !== 'undefined') { found.push('fetch'); }
  if (typeof console !== 'undefined') { found.push('console'); }
  if (typeof setTimeout !== 'undefined') { found.push('setTimeout'); }
  return 'I was given ' + Object.keys(powers).join(' and ') + '; I found ' + (found.join(', ') || 'nothing');
};
export default powers => Far('guest', { work: () => look(powers) });`,
  },

  talkative: {
    name: 'The talkative',
    source: `
export default ({ log }) => Far('guest', {
  work: async () => {
    for (let i = 1; i < 10; i += 1) {
      await E(log)('line ' + i);
    }
  },
});`,
  },

  broken: { name: 'The broken', source: 'export default () => {' },

  thief: {
    name: 'The thief',
    source: `
export default ({ log }) => Far('guest', {
  work: () => {
    Array.prototype.map = () => ['stolen'];
    return 'stolen';
  },
});`,
  },

  endless: {
    name: 'The endless',
    source: `
export default () => Far('guest', {
  work: () => {
    for (;;) {}
  },
});`,
  },

  hoarder: {
    name: 'The hoarder',
    source: `
export default () => Far('guest', {
  work: () => {
    const hoard = [];
    for (;;) {
      hoard.push([hoard.length, 'and', 'more']);
    }
  },
});`,
  },

  digger: {
    name: 'The digger',
    source: `
export default () => {
  const dig = n => dig(n + 1) + 1;
  return Far('guest', { work: () => dig(0) });
};`,
  },
});
