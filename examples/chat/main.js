// @jessie-check
// A chat room on a host of its own: `drses serve --state room --listen noise://HOST:PORT examples/chat`.
//
// Who is invited gets a sturdyref of a seat, which is bound to a name: nobody speaks in the name of another. The room keeps all that
// was said, and for each seat how far it was told; one who was away is told what he missed, in order.

export default ({ console, net }) => {
  let said = harden([]);
  let seats = harden([]);

  const makeSeat = name => {
    let member = undefined;
    // the number of the next thing to tell
    let next = 1;
    let spoken = 0;
    let telling = false;
    // which of the connections that the member made is in use
    let visit = 0;
    let leave = _ => undefined;

    const tell = () => {
      if (telling || member === undefined || next > said.length) {
        return;
      }
      telling = true;
      const [current, number] = [visit, next];
      const { from, text } = said[+(number - 1)];
      E.when(
        member ~. hear(number, from, text),
        _ => {
          if (current === visit) {
            next = number + 1;
            telling = false;
            tell();
          }
        },
        _ => {
          // his host cannot be reached: he comes again
          if (current === visit) {
            member = undefined;
            telling = false;
          }
        },
      );
    };

    return harden({
      tell,
      seat: harden({
        // Tells `newMember` all from number `from` on. What is answered is pending as long as he is told of more: if it is rejected
        // the connection has ended, and he attends again.
        attend: (newMember, from) => {
          leave('somebody came in your place');
          const { promise: leavingP, resolve } = makePromiseKit();
          leave = resolve;
          visit += 1;
          telling = false;
          member = newMember;
          next = from;
          tell();
          return leavingP;
        },
        // The member's own count makes that what he says twice, since he heard no answer, is said once.
        say: (count, text) => {
          if (typeof text !== 'string' || count > spoken + 1) {
            throw TypeError('say(count, text), the counts one after the other');
          }
          if (count === spoken + 1) {
            spoken = count;
            said = harden([...said, { from: name, text }]);
            console.log(`${said.length}. ${name}: ${text}`);
            seats.forEach(other => other.tell());
          }
          return spoken;
        },
      }),
    });
  };

  return harden({
    // A sturdyref for a new seat: hand it to whom it is for, and to nobody else.
    invite: name => {
      const made = makeSeat(name);
      seats = harden([...seats, made]);
      return net.export(made.seat);
    },
    said: () => said,
  });
};
