// expect: JS-101|JS-106@2
export const cache = makeMap();
