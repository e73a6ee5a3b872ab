// What an aborted turn made of objects is forgotten: the next turn's objects lie where its objects lay, and are other ones.
export default async ({ console, vats }) => {
  const victim = await vats.make('./shapes-vat.js', {}, { maxInstructions: 100_000 });
  for (let i = 0; i < 6; i += 1) {
    const failed = await (victim ~. spin(i)).then(
      () => 'no',
      e => e.message.slice(0, 6),
    );
    if (failed !== 'limit:') throw Error(`a turn that spins came to ${failed}`);
    const read = await (victim ~. work(i));
    if (read !== 123) throw Error(`after an aborted turn an object reads as ${read}`);
  }
  console.log('ok');
};
