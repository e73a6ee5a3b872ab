// expect: JS-022|E-*@3
export const f = x
=> x;
