export default () =>
  Far('spinner', {
    spin: () => {
      let i = 0;
      while (true) i = (i + 1) % 1000;
    },
  });
