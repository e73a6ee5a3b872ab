// expect: JS-083@4
export const f = (a, b, i) => {
  switch (a) {
    case 1: {
      b();
    }
    default: {
      return b;
    }
  }
};
