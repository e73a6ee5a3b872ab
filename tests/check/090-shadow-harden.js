// expect: JS-090|JS-052@2
import { harden } from './evil.js';
export default harden({});
