// expect: JS-100@2
let a = 1;
export const f = () => a;
