// One call site that meets objects of one, four and sixteen shapes.
'use strict';
const makers = [];
for (let n = 0; n < 16; n += 1) {
  makers.push(value => {
    const shape = {};
    for (let i = 0; i < n; i += 1) {
      shape[`pad${i}`] = i;
    }
    shape.value = value;
    shape.area = () => value * (n + 1);
    return shape;
  });
}
const total = list => {
  let sum = 0;
  for (let i = 0; i < list.length; i += 1) {
    sum += list[i].area() + list[i].value;
  }
  return sum;
};
const measure = (kinds, rounds) => {
  const list = [];
  for (let i = 0; i < 1600; i += 1) {
    list.push(makers[(i * 5) % kinds](i % 10));
  }
  let sum = 0;
  for (let i = 0; i < rounds; i += 1) {
    sum = (sum + total(list)) % 1000003;
  }
  return sum;
};
print('shapes', measure(1, 300), measure(4, 300), measure(16, 300));
