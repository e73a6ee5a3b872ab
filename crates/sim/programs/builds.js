// What a heap holds of the built-in objects, and what it hangs on them, is the same after the process became one of another build.
export default async ({ console, timer, vats }) => {
  const peer = await vats.make('./builds-vat.js', { timer });
  const suspended = peer ~. slow(5);
  const late = (peer ~. box()) ~. open();
  const chained = (late ~. get()) ~. plus(1);
  const ring = timer ~. delay(40);
  for (let i = 0; i < 8; i += 1) {
    const said = await (peer ~. round(i));
    if (said !== `round ${i}`) throw Error(`round ${i} said ${said}`);
    console.log(said);
    if (i === 3) await (peer ~. release());
  }
  await ring;
  if ((await chained) !== 8) throw Error('the pipelined calls came to something else');
  if ((await suspended) !== 10) throw Error('the suspended function came to something else');
  console.log('ok');
};
