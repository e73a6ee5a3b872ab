// expect: none
export const f = (a, b, i) => {
  const o = harden({ get: 1, set: 2, async: 3, class: 4, if: 5, eval: 6 });
  const { get, set } = o;
  return get + set + o.async + o.class + o.if + o.eval + a.new;
};
