// expect: JS-103@3
const a = 1;
export { a };
