// expect: JS-100@3
const f = x => x;
f(1);
