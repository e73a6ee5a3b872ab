export default () =>
  Far('sender', {
    // Sends on the promise itself, on what it became, and by both forms, waiting in between or not.
    sendMany: async (refP, tag, n) => {
      const answers = [];
      for (let i = 0; i < n; i += 1) {
        answers.push(refP ~. note(tag, i));
        if (i % 3 === 1) await answers[i];
        if (i === 7) await refP;
      }
      await Promise.all(answers);
      return true;
    },
  });
