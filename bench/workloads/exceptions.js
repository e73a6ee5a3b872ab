// Exceptions: thrown and caught near, thrown through many frames, and finally blocks that run either way.
'use strict';
const check = n => {
  if (n % 3 === 0) {
    throw RangeError(`no multiple of three: ${n % 10}`);
  }
  return n;
};
const dive = (depth, n) => {
  if (depth === 0) {
    return check(n);
  }
  return dive(depth - 1, n) + 1;
};
let near = 0;
let far = 0;
let finals = 0;
let message = 0;
for (let i = 0; i < 150000; i += 1) {
  try {
    near += check(i) % 7;
  } catch (error) {
    message += error.message.length;
  }
}
for (let i = 0; i < 20000; i += 1) {
  try {
    far += dive(20, i) % 11;
  } catch (error) {
    if (!(error instanceof RangeError)) {
      throw error;
    }
    far -= 1;
  } finally {
    finals += 1;
  }
}
print('exceptions', near, far, finals, message);
