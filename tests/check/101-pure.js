// expect: none
import { limits } from './limits.js';
export const a = 1 + 2;
export const b = `three is ${a}`;
export const d = limits.max;
export const e = harden({ f: x => x, list: [1, -2, { deep: null }] });
export const g = (x, y) => x + y;
export const h = Far('h', { m: () => 1 });
export const big = 10n;
