export default () =>
  Far('alice', {
    grant: (carolP, bob, tag) => {
      const first = carolP ~. note(tag, 1);
      return Promise.all([first, bob ~. use(carolP, tag)]);
    },
  });
