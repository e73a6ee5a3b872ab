// expect: JS-101|JS-110@2
const a = [1, 2];
export const f = () => a;
