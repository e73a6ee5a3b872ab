export default ({ echo }) => {
  const weak = new WeakMap();
  const keys = [];
  const things = new WeakMap();
  const map = new Map();
  for (let i = 0; i < 20; i += 1) map.set(i, `value ${i}`);
  const half = map.entries();
  const inArray = ['p', 'q', 'r', 's', 't', 'u', 'v'][Symbol.iterator]();
  const closures = [];
  const wide = {};
  const big = [];
  let text = '';
  let known = 0;
  const check = (what, is, should) => {
    if (is !== should) throw Error(`${what} is ${String(is)}, not ${String(should)}`);
  };
  const round = async i => {
    const key = { n: i };
    keys.push(key);
    weak.set(key, i * 10);
    keys.forEach((k, n) => check('a weak entry', weak.get(k), n * 10));
    let uses = 0;
    closures.push(() => {
      uses += 1;
      return i + uses;
    });
    closures.forEach((f, n) => check('a closure', f(), n + (i - n) + 1));
    const { value } = half.next();
    check('a half-run map', value[1], `value ${i}`);
    check('a half-run array', inArray.next().value, 'pqrstuv'[i]);
    for (let k = 0; k < 15; k += 1) wide[`field ${i} ${k}`] = BigInt(k) << 70n;
    check('a wide record', Object.keys(wide).length, 15 * (i + 1));
    check('a big number', wide[`field 0 3`] >> 70n, 3n);
    for (let k = 0; k < 200; k += 1) big.push({ i, k, half: k / 2 });
    check('a long array', big[200 * i + 7].half, 3.5);
    text += `round ${i}; `;
    check('a text', text.length, 9 * (i + 1));
    const thing = await (echo ~. thing(i));
    things.set(thing, i);
    await (echo ~. echo(i));
    if (things.get(await (echo ~. thing(i))) === i) known += 1;
    return i;
  };
  const slow = async n => {
    let sum = 0;
    for (let i = 0; i < n; i += 1) {
      const bit = 2 ** i;
      try {
        sum += await (echo ~. echo(bit));
      } finally {
        sum += 0;
      }
    }
    return sum;
  };
  return Far('keeper', { round, slow, handed: () => known });
};
