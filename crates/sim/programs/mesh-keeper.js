// What a host of the mesh gives to others: cells. Each notices what comes twice, out of order or not at all.
export default ({ timer }) => {
  let cells = 0;
  let touched = 0;
  const heard = new Map();
  const wrong = [];
  const hear = (stream, n) => {
    const last = heard.has(stream) ? heard.get(stream) : 0;
    if (n !== last + 1) wrong.push(`${stream}: ${n} came after ${last}`);
    heard.set(stream, n);
    return n;
  };
  const makeCell = () => {
    cells += 1;
    let friend;
    return Far('cell', {
      // numbered messages of one sender on one reference
      add: hear,
      // messages whose way may be long and whose order is not kept
      touch: () => {
        touched += 1;
      },
      // a circle across hosts
      befriend: other => {
        friend = other;
      },
      forget: () => {
        friend = undefined;
      },
      hasFriend: () => friend !== undefined,
    });
  };
  return Far('keeper', {
    make: makeCell,
    hear,
    later: async ms => {
      await timer.delay(ms);
      return makeCell();
    },
    tell: () => {
      const lines = [`touched ${touched}`, `cells ${cells}`];
      heard.forEach((n, stream) => lines.push(`heard ${stream} ${n}`));
      wrong.forEach(w => lines.push(`wrong ${w}`));
      return lines.join('\n');
    },
  });
};
