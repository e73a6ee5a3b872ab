'use strict';
// Large values of every kind, all functions there are, and `go`, which calls one with some of them.
const MILLION = 1e6;
const rope = () => {
    let s = 'a piece of a rope, long enough to be one: ';
    for (let i = 0; i < MILLION; i += 1) s += 'xyz';
    return s;
};
const from = make => {
    const list = [];
    for (let i = 0; i < MILLION; i += 1) list.push(make(i));
    return list;
};
const nested = (make, depth) => {
    let v = 1;
    for (let i = 0; i < depth; i += 1) v = make(v);
    return v;
};
const dictionary = {};
for (let i = 0; i < MILLION; i += 1) dictionary['key' + i] = i;
const indexed = {};
for (let i = MILLION; i > 0; i -= 1) indexed[i * 7] = i;
const weak = new WeakMap();
const objects = from(i => ({ i }));
for (const o of objects) weak.set(o, o);
const ints = from(i => (i * 7919) % MILLION);
const arrayLike = { length: 2 ** 31, 0: 1 };
const holes = [];
holes.length = 2 ** 27;
const sealed = Object.seal(from(i => i));
const sparse = from(i => i);
Object.defineProperty(sparse, 5, { get() { return 1; } });
const huge = [];
huge.length = 2 ** 32 - 1;

const values = {
    number: 1,
    count: 2 ** 27,
    minus: -3,
    half: 0.5,
    ascii: 'ab'.repeat(2 ** 26),
    wide: 'aß\u0416'.repeat(2 ** 24),
    spaces: ' '.repeat(2 ** 26),
    accents: 'e\u0301'.repeat(2 ** 22),
    decomposed: '\u1E69'.repeat(2 ** 22),
    rope: rope(),
    digits: '9'.repeat(150000),
    hex: '0x' + 'f'.repeat(2 ** 17),
    json: '[' + '{"a":[1,2,"x"]},'.repeat(2 ** 18) + '1]',
    deepJson: '['.repeat(5000) + ']'.repeat(5000),
    stringJson: '"' + 'z'.repeat(2 ** 26) + '"',
    numberJson: '1'.repeat(2 ** 24),
    source: 'x = [1, { a: y => y + 2 }];\n'.repeat(2 ** 18),
    longName: 'x'.repeat(2 ** 24) + ' = "' + 's'.repeat(2 ** 24) + '"',
    numeric: '0.' + '1'.repeat(2 ** 24),
    encoded: '%C3%A9'.repeat(2 ** 22),
    big: (1n << 524287n) - 1n,
    bigOne: 3n,
    symbol: Symbol('s'.repeat(2 ** 24)),
    ints,
    doubles: from(i => i / 3),
    strings: from(i => 'string ' + (i * 7919) % MILLION),
    sameStart: from(i => 'the same beginning of all of them ' + (i * 7919) % MILLION),
    pairs: from(i => [i, i]),
    bigs: from(i => BigInt(i) << 70n),
    objects,
    arrays: nested(v => [v], 4000),
    records: nested(v => ({ v }), 4000),
    arrayLike,
    holes,
    huge,
    sealed,
    sparse,
    dictionary,
    indexed,
    map: new Map(ints.map(i => [i, i])),
    nameMap: new Map(ints.map(i => ['name' + i, i])),
    set: new Set(ints),
    otherSet: new Set(ints.map(i => i + 500000)),
    weak,
    weakSet: new WeakSet(objects),
    promises: from(i => i).slice(0, 100000).map(i => Promise.resolve(i)),
    promise: Promise.resolve(1),
    wrapper: Object('ab'.repeat(2 ** 22)),
    callback: x => x,
    bound: (() => 1).bind(null, ...ints.slice(0, 50000)),
    functions: Array.from({ length: 2 ** 16 }, (_, i) => `const f${i} = (a${i}, { b = 'text ${i}' }) => { const c = () => a${i} + b; return { c, d${i}: [c] }; };\n`).join(''),
    expression: '1 +\n'.repeat(2 ** 20) + '1',
    templates: 't => [' + 't`a${1}b`,'.repeat(2 ** 16) + '1]',
    tries: 'let x;' + 'try { throw 1 } catch (e) { x = e }\n'.repeat(2 ** 15),
    order: (a, b) => a - b,
    options: { mode: 1, cause: 'c'.repeat(2 ** 24), writable: true, value: 1 },
    record: { a: 1, b: 'two', c: [3] },
};

const found = new Set();
const functions = [];
const functionNames = [];
const walk = (o, path) => {
    if (Object(o) !== o || found.has(o) || o === globalThis) return;
    found.add(o);
    if (typeof o === 'function') {
        functions.push(o);
        functionNames.push(path);
    }
    for (const key of Reflect.ownKeys(o)) {
        const d = Reflect.getOwnPropertyDescriptor(o, key);
        const next = path + (typeof key === 'symbol' ? `[${key.description}]` : `.${key}`);
        for (const part of ['value', 'get', 'set']) if (part in d) walk(d[part], part === 'value' ? next : `${part} ${next}`);
    }
    walk(Reflect.getPrototypeOf(o), path + '.__proto__');
};
for (const key of Reflect.ownKeys(globalThis)) walk(Reflect.getOwnPropertyDescriptor(globalThis, key).value, String(key));
for (const [name, iterator] of Object.entries({ array: [][Symbol.iterator](), map: new Map()[Symbol.iterator](), set: new Set()[Symbol.iterator](), string: ''[Symbol.iterator]() })) {
    walk(Reflect.getPrototypeOf(iterator), name + 'Iterator');
}
walk(async () => 1, 'async');
// Operators and syntax, as functions.
const operators = {
    '+': (x, y) => x + y, '-': (x, y) => x - y, '*': (x, y) => x * y, '/': (x, y) => x / y, '%': (x, y) => x % y, '**': (x, y) => x ** y,
    '<<': (x, y) => x << y, '>>': (x, y) => x >> y, '>>>': (x, y) => x >>> y, '&': (x, y) => x & y, '|': (x, y) => x | y, '^': (x, y) => x ^ y,
    '==': (x, y) => x == y, '===': (x, y) => x === y, '<': (x, y) => x < y, '<=': (x, y) => x <= y, in: (x, y) => x in y,
    instanceof: (x, y) => x instanceof y, '~': x => ~x, negate: x => -x, not: x => !x, typeof: x => typeof x, plus: x => +x,
    template: (x, y) => `${x}${y}`, index: (x, y) => x[y], indexed: (x, y) => (x[y] = 1), delete: (x, y) => delete x[y],
    spread: x => [...x], rest: x => { const [, ...r] = x; return r; }, objectSpread: x => ({ ...x }), objectRest: x => { const { a, ...r } = x; return r; },
    forIn: x => { for (const k in x) return k; return 0; }, call: (x, y) => Math.max(...x), lengthSet: (x, y) => { x.length = 0; },
    lengthHalf: x => { x.length = x.length >>> 1; }, flattened: (x, y) => (x + y).length + (x + y).charCodeAt(5), equalRopes: (x, y) => (x + 'long enough to be one') === (x + 'long enough to be onf'),
    key: (x, y) => ({ [x]: y }), send: (x, y) => E(x).foo(y), sendAll: (x, y) => HandledPromise.applyMethod(x, 'm', [y]),
};
for (const name of Object.keys(operators)) {
    functions.push(operators[name]);
    functionNames.push(`operator ${name}`);
}
const list = Object.keys(values).map(name => values[name]);
globalThis.functionNames = functionNames;
globalThis.valueNames = Object.keys(values);
globalThis.go = (f, t, a, b) => {
    const args = [a, b].filter(i => i > -2).map(i => list[i]);
    const name = functionNames[f];
    if (name.startsWith('operator')) return functions[f](list[t], args[0]);
    if (t === -1) {
        try {
            return Reflect.construct(functions[f], args);
        } catch (e) {
            // not a constructor, or not with these
        }
    }
    return Reflect.apply(functions[f], list[t], args);
};
