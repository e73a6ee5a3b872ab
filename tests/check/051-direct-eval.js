// expect: JS-051|JS-012|JS-107@3
export const f = (a, b, i) => {
  return eval(a);
};
