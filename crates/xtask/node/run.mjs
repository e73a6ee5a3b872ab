// Runs a desugared program on Node: npm's `ses` and `@endo` for the language, and below a small shim of the powers.
//
//   node run.mjs FOLDER [ARGS…]
//
// All vats are in one realm and one event loop here, without limits: what this shows is that the programs are plain
// ECMAScript and mean the same, not that they are kept apart.
import 'ses';
import '@endo/eventual-send/shim.js';
import { randomBytes } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { format } from 'node:util';

lockdown({ consoleTaming: 'unsafe', errorTrapping: 'none', unhandledRejectionTrapping: 'none' });
const { E } = await import('@endo/eventual-send');
const { Far } = await import('@endo/far');

// `Nat` of @endo/nat gives a BigInt; this one gives its argument.
const natural = n => {
  if (typeof n !== 'number') {
    return 'not a number';
  }
  if (Number.isNaN(n)) {
    return 'NaN not natural';
  }
  if (n < 0) {
    return 'negative';
  }
  if (n % 1 !== 0) {
    return 'not integral';
  }
  return n > Number.MAX_SAFE_INTEGER ? 'too big' : undefined;
};
const Nat = n => {
  const fault = natural(n);
  if (fault !== undefined) {
    throw RangeError(fault);
  }
  return n;
};

const makePromiseKit = () => {
  let resolve;
  let reject;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return harden({ promise, resolve, reject });
};

// One expression in a compartment of its own.
const confine = (source, endowments) => new Compartment({ ...endowments }).evaluate(`(${source}\n)`);

const globals = {
  E,
  Far,
  Nat,
  harden,
  makePromiseKit,
  confine,
  makeMap: entries => harden(new Map(entries)),
  makeSet: values => harden(new Set(values)),
  makeWeakMap: entries => harden(new WeakMap(entries)),
  makeWeakSet: values => harden(new WeakSet(values)),
};
Object.assign(globalThis, globals);

const line = stream => (...parts) => {
  stream.write(`${format(...parts)}\n`);
};
const console = harden({ log: line(process.stdout), error: line(process.stderr) });
const timer = harden({
  now: async () => Date.now(),
  delay: ms => new Promise(resolve => void setTimeout(resolve, ms)),
});
const random = harden({ bytes: async n => harden([...randomBytes(n)]) });

// Specifiers are relative to the program that holds this power. The `export default` of a text becomes its value.
const makeVats = base =>
  harden({
    make: async (specifier, powers) => {
      const { default: start } = await import(new URL(specifier, base).href);
      return start(powers);
    },
    makeFromSource: async (text, powers) => {
      const body = text.replace('export default', 'return');
      const start = new Compartment({ ...globals }).evaluate(`(() => {${body}\n})()`);
      return start(powers);
    },
  });

// A rejection that somebody handles later is none here either; drses reports the others.
process.on('unhandledRejection', () => {});

const [folder, ...args] = process.argv.slice(2);
const main = pathToFileURL(`${folder}/main.js`);
const { default: start } = await import(main.href);
await start(harden({ console, timer, random, vats: makeVats(main), args }));
