// expect: JS-063|JS-042@3
export const f = (a, b, i) => {
  delete a ~. p;
};
