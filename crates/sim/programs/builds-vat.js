// Everything that names built-in objects, or is ordered by where objects lie.
export default ({ timer }) => {
  const check = (what, is, should) => {
    if (is !== should) throw Error(`${what} is ${String(is)}, not ${String(should)}`);
  };
  // built-in objects as keys: their identity is hung on them
  const builtins = [Array, Array.prototype, Math, Math.max, [].map, Object.prototype, Promise, Symbol.iterator, globalThis, JSON.parse];
  const names = new Map(builtins.map((b, i) => [b, `builtin ${i}`]));
  const weakly = new WeakMap(builtins.filter(b => typeof b !== 'symbol').map((b, i) => [b, { i }]));
  const symbols = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? Symbol.for(`shared ${i}`) : Symbol(`own ${i}`)));
  const bySymbol = new Map(symbols.map((s, i) => [s, i]));
  const symbolSet = new WeakSet(symbols.filter((_, i) => i % 3 !== 0));
  const withSymbols = Object.fromEntries(symbols.map((s, i) => [s, i]));
  const order = () => [...bySymbol.values()].join();
  const orderBefore = order();
  // an iterator half way through a map that grows and shrinks under it
  const growing = new Map([['first', 0]]);
  const half = growing.entries();
  half.next();
  // shapes, layouts, dictionaries
  const error = Error('kept', { cause: 'a cause' });
  const typed = [TypeError('one'), RangeError('two')];
  const records = [];
  const wide = {};
  const frozen = harden({ deep: { deeper: ['x', { y: 1n << 90n }] }, f: () => 'hardened' });
  const later = 'only later 7 0';
  const keyed = { [later]: 'a key that another build interns', valueOf: () => 5, ['wör' + 'd']: 'wide' };
  const inner = new Compartment({ globals: { check }, __options__: true });
  inner.evaluate('globalThis.seen = 0; globalThis.see = () => { seen += 1; return [seen, Array.isArray([]), Math]; };');
  const tag = (strings, ...values) => [strings, values];
  const template = () => tag`a${1}b`[0];
  const templateBefore = template();
  let release;
  const held = new Promise(resolve => {
    release = resolve;
  });
  const slow = async n => {
    let sum = 0;
    for (const i of Array(n).keys()) {
      try {
        await (timer ~. delay(5));
        await held;
      } finally {
        sum += i;
      }
    }
    return sum;
  };
  const round = async i => {
    builtins.forEach((b, k) => check('a name of a builtin', names.get(b), `builtin ${k}`));
    builtins.filter(b => typeof b !== 'symbol').forEach((b, k) => check('what hangs weakly on a builtin', weakly.get(b).i, k));
    check('a builtin', builtins[3](1, i, 2), Math.max(1, i, 2));
    check('the same builtin', builtins[4], [].map);
    check('a constructor', builtins[0].from([1]) instanceof Array, true);
    symbols.forEach((s, k) => check('a symbol as a key', bySymbol.get(s), k));
    symbols.forEach((s, k) => check('a symbol as a name', withSymbols[s], k));
    symbols.forEach((s, k) => check('a symbol in a set', symbolSet.has(s), k % 3 !== 0));
    check('a shared symbol', Symbol.for('shared 3'), symbols[3]);
    check('the order of a map', order(), orderBefore);
    for (let k = 0; k < 9; k += 1) growing.set(`entry ${i} ${k}`, k);
    if (i % 2 === 1) growing.delete(`entry ${i} 4`);
    if (i === 5) growing.clear();
    if (i === 5) growing.set('after', -1);
    check('a half-run iterator', half.next().value[0], i < 5 ? `entry 0 ${i}` : i === 5 ? 'after' : `entry 6 ${i - 6}`);
    check('an error', `${error} ${error.cause} ${error instanceof Error}`, 'Error: kept a cause true');
    check('errors', typed.map(e => `${e}`).join(), 'TypeError: one,RangeError: two');
    typed.push(ReferenceError(`in round ${i}`));
    check('the last error', typed.pop().message, `in round ${i}`);
    records.push({ i, name: `r${i}`, done: false, [`own ${i}`]: i });
    check('records', records.every((r, k) => r.i === k && r[`own ${k}`] === k && Object.keys(r)[3] === `own ${k}`), true);
    for (let k = 0; k < 20; k += 1) wide[`w${i} ${k}`] = k;
    check('a wide record', Object.keys(wide)[20 * i + 7], `w${i} 7`);
    check('hardened', `${Object.isFrozen(frozen.deep.deeper)} ${frozen.f()} ${frozen.deep.deeper[1].y >> 89n}`, 'true hardened 2');
    check('a key', keyed['only later ' + '7 0'], 'a key that another build interns');
    check('a wide key', keyed['wörd'] + keyed, 'wide5');
    const [seen, isArray, math] = inner.globalThis.see();
    check('a compartment', `${seen} ${isArray} ${math === Math}`, `${i + 1} true true`);
    check('a template', template(), templateBefore);
    check('evaluated text', inner.evaluate(`[${i}, 2, 3].map(x => x * 2).join()`), `${2 * i},4,6`);
    return `round ${i}`;
  };
  const number = n => Far('number', { plus: k => n + k });
  const box = async () => {
    await held;
    return Far('box', { open: async () => Far('contents', { get: () => number(7) }) });
  };
  return Far('peer', { round, slow, box, release: () => release() });
};
