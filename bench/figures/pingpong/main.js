// args[0] calls, each waited for: two turns a call
export default async ({ console, vats, args }) => {
  const n = Number(args[0]);
  const bob = await vats.make('./bob.js', {});
  for (let i = 0; i < n; i += 1) await (bob ~. ping(i));
  console.log('done', n);
};
