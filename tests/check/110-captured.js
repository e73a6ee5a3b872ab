// expect: JS-110|JS-114@4
export const f = (a, b, i) => {
  const o = { n: 0 };
  return () => o;
};
