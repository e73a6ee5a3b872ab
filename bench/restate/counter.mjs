// The counter of the figures as a service of Restate: get, one more, set.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// the SDK asks for it, and older Nodes have none
Promise.withResolvers ??= () => {
  let resolve, reject;
  const promise = new Promise((y, n) => ([resolve, reject] = [y, n]));
  return { promise, resolve, reject };
};

const [modules, port] = process.argv.slice(2);
const find = createRequire(`${modules}/`);
const restate = await import(pathToFileURL(find.resolve('@restatedev/restate-sdk')));
const counter = restate.object({
  name: 'counter',
  handlers: {
    up: async ctx => {
      const count = ((await ctx.get('count')) ?? 0) + 1;
      ctx.set('count', count);
      return count;
    },
  },
});
await restate.serve({ services: [counter], port: Number(port) });
