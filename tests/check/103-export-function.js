// expect: JS-103|JS-100@2
export function f() {
  return 1;
}
