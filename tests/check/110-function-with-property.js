// expect: JS-110|JS-111@5
export const f = (a, b, i) => {
  const g = () => 1;
  g.extra = 2;
  return g;
};
