// The longest of many short steps beside a live heap of 100 MB, in milliseconds. Wants `--unlocked`, for the clock.
'use strict';
const COUNT = 1400000;
const live = [];
for (let i = 0; i < COUNT; i += 1) live.push({ id: i, next: live[i >> 1], tag: [i] });
const step = k => {
  let last = null;
  for (let i = 0; i < 200; i += 1) last = { k, i, last: i % 8 === 0 ? null : last };
  live[(k * 7919) % COUNT].tag = [k];
  return last.i;
};
let worst = 0;
for (let k = 0; k < 15000; k += 1) {
  const start = performance.now();
  step(k);
  worst = Math.max(worst, performance.now() - start);
}
print(worst);
