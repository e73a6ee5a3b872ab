// expect: none
export const f = (a, b, i) => {
  if (a) {
    return 1;
  } else if (b) {
    return 2;
  } else {
    return 3;
  }
};
