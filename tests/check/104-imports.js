// expect: none
import d from './a.js';
import { b, c as e } from './a.js';
import * as all from './a.js';
import g, { h, } from './b.js';
export const f = () => harden([d, b, e, all, g, h]);
