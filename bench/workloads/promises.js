// Promises: long chains, fan-out with all and race, async functions, and rejections that travel.
'use strict';
const makeKit = () => {
  let resolve;
  let reject;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};
const chain = (length, start) => {
  let promise = Promise.resolve(start);
  for (let i = 0; i < length; i += 1) {
    promise = promise.then(value => (value + i) % 1009);
  }
  return promise;
};
const walk = async steps => {
  let place = 0;
  for (let i = 0; i < steps; i += 1) {
    place = (place * 3 + (await i)) % 1009;
  }
  return place;
};
const relay = length => {
  const first = makeKit();
  let last = first.promise;
  for (let i = 0; i < length; i += 1) {
    last = last.then(value => value + 1);
  }
  first.reject(Error('stopped'));
  return last.catch(error => error.message.length);
};
const main = async () => {
  let total = 0;
  for (let i = 0; i < 120; i += 1) {
    const ways = [chain(1000, i), walk(1000), relay(500)];
    const values = await Promise.all(ways);
    const winner = await Promise.race([values[0], chain(10, 1)]);
    total = (total + values[0] + values[1] + values[2] + winner) % 1000003;
  }
  print('promises', total);
};
main();
