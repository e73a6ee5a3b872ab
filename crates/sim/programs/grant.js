// O2: Alice sends X to Carol and then passes Carol to Bob: nothing that Bob sends on it precedes X. Carol is passed as an
// object, and as a promise that is resolved while all this goes on.
export default async ({ console, vats }) => {
  const carol = await vats.make('./order-log.js', { name: 'carol' });
  const dave = await vats.make('./order-log.js', { name: 'dave' });
  const alice = await vats.make('./grant-alice.js', {});
  const bob = await vats.make('./grant-bob.js', {});
  const rounds = [];
  for (let i = 0; i < 6; i += 1) {
    rounds.push(alice ~. grant(carol, bob, `object ${i}`));
    rounds.push(alice ~. grant(dave ~. laterThird(carol, i % 3), bob, `promise ${i}`));
  }
  await Promise.all(rounds);
  const order = {};
  for (const { tag, n } of await (carol ~. entries())) {
    if (n === 2 && order[tag] !== 1) throw Error(`${tag}: Bob's message came before Alice's`);
    order[tag] = n;
  }
  if (Object.keys(order).length !== 12) throw Error('messages are missing');
  console.log('ok');
};
