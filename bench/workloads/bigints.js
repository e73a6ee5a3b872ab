// BigInt: token amounts of some sixty bits, a factorial, a modular power, and decimal text both ways.
'use strict';
const unit = 10n ** 18n;
let supply = 0n;
for (let i = 0; i < 120000; i += 1) {
  const amount = (BigInt(i) * unit) / 7n;
  const fee = (amount * 3n) / 1000n;
  supply += amount - fee;
  if (supply > 10n ** 24n) {
    supply %= unit;
  }
}
let factorial = 1n;
for (let i = 1n; i <= 700n; i += 1n) {
  factorial *= i;
}
const power = (base, exponent, modulus) => {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) {
      result = (result * square) % modulus;
    }
    square = (square * square) % modulus;
  }
  return result;
};
const modulus = 2n ** 255n - 19n;
let key = 3n;
for (let i = 0; i < 30; i += 1) {
  key = power(key + 2n, modulus - 2n, modulus);
}
let digits = 0;
for (let i = 0; i < 200; i += 1) {
  digits += String(BigInt(String(factorial + BigInt(i)))).length;
}
print('bigints', String(supply), digits, String(key % 1000000007n));
