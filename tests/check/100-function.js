// expect: JS-100@2
function f() {
  return 1;
}
export const g = () => f();
