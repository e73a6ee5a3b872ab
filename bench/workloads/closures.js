// Objects as records of closures: a stack and a bounded counter, thousands of each, called in turn.
'use strict';
const { freeze } = Object;
const makeStack = () => {
  const items = [];
  let depth = 0;
  return freeze({
    push: item => {
      items[depth] = item;
      depth += 1;
    },
    pop: () => {
      depth -= 1;
      return items[depth];
    },
    size: () => depth,
  });
};
const makeClock = limit => {
  let now = 0;
  return freeze({
    tick: () => {
      now = now + 1 === limit ? 0 : now + 1;
      return now;
    },
    read: () => now,
  });
};
const pairs = [];
for (let i = 0; i < 500; i += 1) {
  pairs.push(freeze({ stack: makeStack(), clock: makeClock(3 + (i % 11)) }));
}
let sum = 0;
for (let round = 0; round < 2000; round += 1) {
  for (let i = 0; i < pairs.length; i += 1) {
    const { stack, clock } = pairs[i];
    stack.push(clock.tick() + i);
    if (stack.size() > 4) {
      sum += stack.pop() - stack.pop() + clock.read();
    }
  }
}
print('closures', sum);
