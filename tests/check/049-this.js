// expect: JS-049@4
export const f = harden({
  m() {
    return this;
  },
});
