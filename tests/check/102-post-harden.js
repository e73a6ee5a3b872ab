// expect: JS-100|JS-102@3
export const f = x => x;
harden(f);
