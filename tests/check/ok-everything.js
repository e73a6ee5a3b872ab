// expect: none
'use strict';
import { helper } from './helper.js';
// Most of what Jessie has, in one function.
const LIMIT = 1_000;
export const f = (first, second = 2, ...rest) => {
  let total = first + second ** 2 - LIMIT % 7;
  outer: for (const [k, v] of rest) {
    if (k === v && !(k > 3)) {
      continue outer;
    } else if (typeof k === 'string' || v === undefined) {
      break outer;
    }
    total += (k & 1) === 0 ? +v : -v;
  }
  let n = 0;
  while (n < 3) {
    n += 1;
  }
  try {
    helper(...rest, total,);
  } catch (e) {
    throw TypeError(`failed: ${e}`);
  } finally {
    n = void 0;
  }
  const { a, b: [c, ...d], ...others } = helper;
  const tagged = helper`raw ${total} text`;
  function inner(x) {
    return x;
  }
  return harden({ a, c, d, others, tagged, inner, n, 'quoted key': 1, 7: 'seven', m(x) { return x; }, get g() { return 1; } });
};
