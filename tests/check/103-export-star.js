// expect: JS-103@2
export * from './m.js';
