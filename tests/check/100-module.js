// expect: none
import { a } from './a.js';
const b = 1;
export const c = harden({ b });
export default () => a;
