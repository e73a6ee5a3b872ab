// About 10 MB stay reachable while 10 GB are made and dropped, all in one turn.
'use strict';
const live = [];
for (let i = 0; i < 140000; i += 1) live.push({ id: i, next: live[i >> 1], tag: [i] });
let sum = 0;
for (let i = 0; i < 140000000; i += 1) {
  const o = { id: i, next: live[i % 140000], tag: [i] };
  sum += o.tag[0] & 1;
}
print(live.length, sum);
