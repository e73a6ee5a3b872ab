// expect: none
export const f = x =>
  x;
