// expect: JS-018@3
export const f = (a, b, i) => {
  return harden({ "__pr\u006fto__": a });
};
