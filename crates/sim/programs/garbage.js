// Objects and promises that hold each other across vats, and are dropped: nothing of them may stay. What is still in use
// must stay: a weak map keyed by an object elsewhere finds its entry although nobody here held the object meanwhile.
export default async ({ console, vats, timer }) => {
  const a = await vats.make('./garbage-vat.js', {});
  const b = await vats.make('./garbage-vat.js', {});
  for (let i = 0; i < 8; i += 1) {
    const x = await (a ~. makeNode());
    const y = await (b ~. makeNode());
    // a circle of two vats, one by way of a promise that is never resolved
    await Promise.all([x ~. link(y), y ~. link(x)]);
    await (x ~. link(y ~. never()));
    await (a ~. note(y, i));
  }
  await timer.delay(5);
  const z = await (b ~. keepNode());
  await (a ~. note(z, 'kept'));
  await timer.delay(5);
  await timer.delay(5);
  const found = await (a ~. recall(await (b ~. kept())));
  if (found !== 'kept') throw Error(`the entry of an object that is still there is ${found}`);
  await (b ~. forget());
  console.log('ok');
};
