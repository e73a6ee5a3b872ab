// Vats that send each other everything they hold, at random: objects, promises of every state, functions, data that shares parts,
// references that came back home. Nobody may ever see a message lost, an identity change, or an entry of a weak map missing.
export default async ({ console, vats, random, timer }) => {
  const seeds = await random.bytes(8);
  const all = [];
  for (let i = 0; i < 4; i += 1) all.push(await vats.make('./chaos-vat.js', { name: `v${i}`, seed: seeds[i] * 256 + seeds[i + 4] }));
  await Promise.all(all.map(v => v ~. meet(all)));
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(all.map(v => v ~. play(12)));
    await timer.delay(1);
  }
  const counts = await Promise.all(all.map(v => v ~. counts()));
  let sent = 0;
  let got = 0;
  let bad = 0;
  for (const c of counts) {
    sent += c.sent;
    got += c.got;
    bad += c.bad;
  }
  if (bad !== 0) throw Error(`${bad} surprises`);
  if (sent !== got) throw Error(`${sent} sent and ${got} received`);
  console.log('ok');
};
