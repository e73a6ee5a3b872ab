// expect: JS-101|JS-110@2
export const o = {};
