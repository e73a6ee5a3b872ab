// What a heap can hold survives: closures, weak entries, half-run iterators, suspended functions, dictionaries, shared texts.
export default async ({ console, vats }) => {
  const echo = await vats.make('./heap-echo.js', {});
  const keeper = await vats.make('./heap-keeper.js', { echo });
  const slow = keeper ~. slow(6);
  for (let i = 0; i < 6; i += 1) {
    const said = await (keeper ~. round(i));
    if (said !== i) throw Error(`round ${i} said ${said}`);
  }
  const sum = await slow;
  if (sum !== 63) throw Error(`the suspended function came to ${sum}`);
  const handed = await (keeper ~. handed());
  if (handed !== 6) throw Error(`${handed} presences are known again`);
  console.log('ok');
};
