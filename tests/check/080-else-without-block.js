// expect: JS-080@5
export const f = (a, b, i) => {
  if (a) {
    return b;
  } else return i;
};
