// How many calls a second this vat and another one exchange, alone and while a third vat spins.
export default async ({ console, timer, vats }) => {
  const echo = await vats.make('../pingpong/bob.js', {});
  const spinner = await vats.make('./spinner.js', {});
  const rate = async ms => {
    const start = await timer.now();
    let calls = 0;
    let now = start;
    while (now < start + ms) {
      for (let i = 0; i < 2000; i += 1) await (echo ~. ping(i));
      calls += 2000;
      now = await timer.now();
    }
    return (calls * 1000) / (now - start);
  };
  await rate(500);
  const alone = await rate(4000);
  spinner ~. spin(); // it would end at its limit; whoever reads the line ends it sooner
  const beside = await rate(10000);
  console.log(`alone=${alone} beside=${beside}`);
};
