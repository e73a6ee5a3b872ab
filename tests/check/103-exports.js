// expect: none
export const a = 1;
export const b = harden([a]);
export default harden({ a, b });
