// Turns that are aborted leave nothing, and whoever waits for them is told.
export default async ({ console, vats }) => {
  const limits = { maxInstructions: 300_000 };
  const victim = await vats.make('./limits-vat.js', {}, limits);
  const other = await vats.make('./heap-echo.js', {});
  for (let i = 0; i < 4; i += 1) {
    const failed = await (victim ~. spin(i)).then(
      () => 'no',
      e => e.message.slice(0, 6),
    );
    if (failed !== 'limit:') throw Error(`a turn that spins came to ${failed}`);
    const woken = await (victim ~. wait(other, i));
    if (woken !== 'limit:') throw Error(`a resolution that cannot be taken came to ${woken}`);
    const sum = await (victim ~. work(i));
    if (sum !== 6 * i + 3) throw Error(`after an aborted turn the work came to ${sum}`);
  }
  const count = await (victim ~. count());
  if (count !== 4) throw Error(`${count} turns counted of 4`);
  console.log('ok');
};
