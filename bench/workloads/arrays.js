// Arrays: sieve, matrix product, map/filter/reduce, and sort with and without a comparator.
'use strict';
const sieve = limit => {
  const composite = [];
  for (let i = 0; i <= limit; i += 1) {
    composite.push(false);
  }
  let primes = 0;
  for (let i = 2; i <= limit; i += 1) {
    if (!composite[i]) {
      primes += 1;
      for (let j = i * i; j <= limit; j += i) {
        composite[j] = true;
      }
    }
  }
  return primes;
};
const product = (a, b, n) => {
  const out = [];
  for (let row = 0; row < n; row += 1) {
    for (let column = 0; column < n; column += 1) {
      let sum = 0;
      for (let k = 0; k < n; k += 1) {
        sum += a[row * n + k] * b[k * n + column];
      }
      out.push(sum % 97);
    }
  }
  return out;
};
let seed = 12345;
const random = () => {
  seed = (seed * 1103 + 12347) % 65537;
  return seed;
};
const side = 60;
const cells = [];
for (let i = 0; i < side * side; i += 1) {
  cells.push(i % 97);
}
const power = product(product(cells, cells, side), cells, side);
let ordered = 0;
for (let round = 0; round < 12; round += 1) {
  const rows = [];
  for (let i = 0; i < 4000; i += 1) {
    rows.push({ key: random(), at: i });
  }
  rows.sort((a, b) => a.key - b.key);
  const names = rows.filter(row => row.at % 3 === 0).map(row => `k${row.key}`);
  names.sort();
  ordered = (ordered * 31 + rows[1000].key + names.length + names[100].length) % 1000003;
}
const sum = power.reduce((a, b) => a + b, 0);
print('arrays', sieve(300000), sum, ordered);
