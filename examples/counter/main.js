// @jessie-check
// Two counters, and the difference between a call and a send.
//
// `counter.increment()` runs now. `counter ~. increment()` is a message: it is queued, the sender
// goes on at once with a promise for the answer, and messages to one object arrive in the order sent.

const makeCounter = (name, console) => {
  let count = 0;
  return Far(name, {
    increment: () => {
      count += 1;
      console.log(`  ${name} is now ${count}`);
      return count;
    },
    read: () => count,
  });
};

export default ({ console }) => {
  const apples = makeCounter('apples', console);
  const pears = makeCounter('pears', console);

  console.log('Called, a counter counts before the next line runs:');
  apples.increment();

  console.log('Sent to, it counts later, in the order of sending:');
  apples ~. increment();
  pears ~. increment();
  apples ~. increment();
  const answerP = pears ~. increment();
  console.log(`  still ${apples.read()} and ${pears.read()}, all sends are only queued`);

  // A counter is needed before it is there: sends to the promise wait for it.
  const { promise: laterP, resolve } = makePromiseKit();
  const sumP = Promise.all(harden([answerP, laterP ~. increment(), laterP ~. read()]));
  resolve(makeCounter('plums', console));

  return sumP.then(([pearCount, plumCount, plumsRead]) => {
    console.log(`In the end: ${apples.read()} apples, ${pearCount} pears, ${plumCount} plum, read as ${plumsRead}`);
  });
};
