// expect: JS-081@3
export const f = (a, b, i) => {
  for (;;) {
    return 1;
  }
};
