// expect: JS-067|JS-017@3
export const f = (a, b, i) => {
  return a ~. $h_x;
};
