// expect: JS-103|JS-100@2
export let a = 1;
