// args[0] sends to an object of this vat, each waited for
export default async ({ console, args }) => {
  const n = Number(args[0]);
  const near = Far('near', { m: i => i });
  let sum = 0;
  for (let i = 0; i < n; i += 1) sum += await E(near).m(i);
  console.log(sum);
};
