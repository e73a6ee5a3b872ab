// args[0] counter vats, each made and asked once; then all of them stay a while
export default async ({ console, timer, vats, args }) => {
  const n = Number(args[0]);
  const all = [];
  const start = await timer.now();
  for (let i = 0; i < n; i += 1) {
    const c = vats.make('./counter.js', {});
    all.push(c);
    await (c ~. up());
  }
  const took = (await timer.now()) - start;
  console.log(`made ms=${took}`);
  await timer.delay(20000);
  console.log(all.length);
};
