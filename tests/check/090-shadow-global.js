// expect: JS-090|JS-052@3
export const f = (a, b, i) => {
  const Object = a;
  return Object;
};
