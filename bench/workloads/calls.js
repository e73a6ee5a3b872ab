// Calls of small functions: plain recursion, mutual recursion, and many arguments.
'use strict';
const ackermann = (m, n) => {
  if (m === 0) {
    return n + 1;
  }
  return n === 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
};
const hanoi = (n, from, to, by) => (n === 0 ? 0 : hanoi(n - 1, from, by, to) + 1 + hanoi(n - 1, by, to, from));
const isEven = n => (n === 0 ? true : isOdd(n - 1));
const isOdd = n => (n === 0 ? false : isEven(n - 1));
const weigh = (a, b, c, d, e, f) => a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f;

let total = 0;
for (let i = 0; i < 18; i += 1) {
  total += ackermann(2, 60 + i) + hanoi(15, 1, 2, 3);
}
let evens = 0;
for (let i = 0; i < 6000; i += 1) {
  if (isEven(i % 200)) {
    evens += 1;
  }
}
let weight = 0;
for (let i = 0; i < 800000; i += 1) {
  weight = (weight + weigh(i, 1, i, 2, i, 3)) % 1000003;
}
print('calls', total, evens, weight);
