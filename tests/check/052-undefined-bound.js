// expect: JS-052@2
export const f = undefined => undefined;
