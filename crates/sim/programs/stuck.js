// One vat is paused for ever: the others get on.
export default async ({ console, vats }) => {
  const stuck = await vats.make('./stuck-one.js', {});
  const a = await vats.make('./once-counter.js', {});
  const b = await vats.make('./once-relay.js', {});
  for (let i = 0; i < 12; i += 1) {
    stuck ~. ping(i);
    const n = await (b ~. pass(a, i));
    if (n !== i + 1) throw Error(`${n} counted of ${i + 1}`);
  }
  console.log('ok');
};
