// expect: none
export const f = (a, b, i) => {
  switch (a) {
    case 1:
    case 2: {
      return b;
    }
    case 3: {
      b();
      break;
    }
    default: {
      throw Error(`no ${a}`);
    }
  }
};
