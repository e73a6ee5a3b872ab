// @jessie-check
// One person of a chat: `drses serve --state ada examples/chat/person.js STURDYREF-OF-A-SEAT`, then
// `drses vat call --state ada 1 say "hello"`.
//
// It outlives its own death, the room's, and the connection: what is to be said is kept until the room has it, and when a connection
// has ended another one is made by the sturdyref. Where sessions survive, nothing of that ever happens.

export default ({ console, net, timer, args }) => {
  const [uri] = args;
  const [shortest, longest] = [100, 5000];
  // what was heard of the room, and what the room has heard
  let heard = 0;
  let said = 0;
  let unsaid = harden([]);
  let seat = undefined;
  let saying = false;
  let pause = shortest;

  const member = harden({
    hear: (number, from, text) => {
      // what was told twice, since the room heard no answer, is heard once
      if (number === heard + 1) {
        heard = number;
        pause = shortest;
        console.log(`${number}. ${from}: ${text}`);
      }
      return heard;
    },
  });

  const sayNext = () => {
    if (saying || unsaid.length === 0) {
      return;
    }
    saying = true;
    const [first] = unsaid;
    E.when(
      seat ~. say(said + 1, first),
      count => {
        said = count;
        unsaid = harden(unsaid.slice(1));
        saying = false;
        sayNext();
      },
      _ => {
        // the next connection tries again
        saying = false;
      },
    );
  };

  const connect = () => {
    seat = net.import(uri);
    E.when(
      seat ~. attend(member, heard + 1),
      _ => undefined,
      _ => {
        const ms = pause;
        pause = ms * 2 > longest ? longest : ms * 2;
        return E.when(timer.delay(ms), _ => connect());
      },
    );
    sayNext();
  };

  connect();
  return harden({
    say: text => {
      unsaid = harden([...unsaid, text]);
      sayNext();
      return unsaid.length;
    },
    heard: () => heard,
  });
};
