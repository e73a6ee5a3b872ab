// The same by @endo/captp of npm, messages as lines of JSON: `node captp.mjs serve`, or `node captp.mjs call PORT CALLS OUTSTANDING`.
// NODE_MODULES is a folder that has them.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import net from 'node:net';

const require = createRequire(`${process.env.NODE_MODULES}/x.js`);
const load = name => import(pathToFileURL(require.resolve(name)).href);
await load('@endo/init');
const { makeCapTP, E } = await load('@endo/captp');
const { Far } = await load('@endo/far');

const connect = (name, socket, bootstrap) => {
  socket.setNoDelay(true);
  const { dispatch, getBootstrap } = makeCapTP(name, message => socket.write(`${JSON.stringify(message)}\n`), bootstrap);
  let rest = '';
  socket.on('data', bytes => {
    const lines = (rest + bytes).split('\n');
    rest = lines.pop();
    for (const line of lines) dispatch(JSON.parse(line));
  });
  socket.on('error', () => {});
  return getBootstrap;
};

const [what, port, calls, outstanding] = process.argv.slice(2);
if (what === 'serve') {
  const echoes = Far('echo', { echo: (n, text) => harden([n, text]) });
  const server = net.createServer(socket => connect('server', socket, echoes));
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
} else {
  const socket = net.connect(Number(port), '127.0.0.1');
  socket.setEncoding('utf8');
  const echo = connect('client', socket)();
  const run = async count => {
    let sent = 0;
    const one = async () => {
      while (sent < count) {
        sent += 1;
        await E(echo).echo(sent, 'hello');
      }
    };
    await Promise.all(Array.from({ length: Number(outstanding) }, one));
  };
  await run(Number(calls) / 10);
  const begun = performance.now();
  await run(Number(calls));
  console.log((performance.now() - begun) / 1000);
  process.exit(0);
}
