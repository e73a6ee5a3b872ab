// @jessie-check
// Runs programs that came as text from anybody. Each gets a vat of its own, two powers made for it, and limits on memory
// and on the instructions of a turn; beyond these it reaches nothing, and what it breaks is its own. With the argument
// `harmless` those are left out whom only limits can stop.

import { texts } from './texts.js';

// Lines of a guest: marked as his, bounded in length and number.
const makeLog = (console, name, most) => {
  let left = most;
  return line => {
    if (left === 0) {
      throw Error('no more lines for you');
    }
    left -= 1;
    console.log(`  ${name} says: ${`${line}`.slice(0, 60)}`);
  };
};

const engineSays = ({ name }) => name === 'SyntaxError' || name === 'TypeError';

const limits = harden({ maxHeap: 8000000, maxInstructions: 5000000 });

export default ({ console, vats, args }) => {
  // Makes a vat for a text and asks its root for its work.
  const runGuest = ({ name, source, keep }) => {
    const guest = vats.makeFromSource(source, harden({ log: makeLog(console, name, 3), greeting: 'hello' }), limits);
    return E.when(
      guest ~. work(20),
      answer => {
        console.log(`  ${name} answers: ${answer}`);
        return keep ? guest : undefined;
      },
      // What the engine itself complains of it says in its own words.
      error => console.log(`  ${name} fails: ${engineSays(error) ? error.name : error}`),
    );
  };

  console.log('A well-behaved guest');
  return E.when(runGuest(harden({ ...texts.good, keep: true })), good => {
    const harmless = [texts.curious, texts.talkative, texts.broken, texts.thief];
    const others = harden([...harmless, ...(args[0] === 'harmless' ? [] : [texts.endless, texts.hoarder, texts.digger])]);
    console.log('Others');
    const doneP = others.reduce((lastP, text) => E.when(lastP, _ => runGuest(text)), undefined);
    return E.when(doneP, _ => {
      console.log('The first guest goes on');
      return E.when(good ~. work(10), answer => console.log(`  ${texts.good.name} answers: ${answer}`));
    });
  });
};
