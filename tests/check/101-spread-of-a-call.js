// expect: JS-101@3
const f = () => 1;
export const x = harden({ ...f() });
