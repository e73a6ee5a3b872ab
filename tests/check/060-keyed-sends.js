// expect: none
export const f = (a, b, i) => {
  return a ~. [i](b) ~. ['name'];
};
