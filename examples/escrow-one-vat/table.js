// @jessie-check
// How the cases are shown: a row for what is seen at each rest, and a second one where that is not what is due.

const column = (text, width) => {
  let padded = text;
  while (padded.length < width) {
    padded += ' ';
  }
  return padded;
};

export const row = (name, story, purses, escrow, decision) =>
  `${column(name, 5)}${column(story, 50)}${column(purses, 24)}${column(escrow, 9)}${decision}`;

export const sameSight = (one, other) =>
  one.purses === other.purses && one.escrow === other.escrow && one.decision === other.decision;

// A case as its rows, and whether all of it was as `eachCase.sights` says.
export const showCase = (console, eachCase, seen) => {
  let right = seen.length === eachCase.sights.length;
  seen.forEach((sight, i) => {
    const [name, story] = i === 0 ? [eachCase.name, eachCase.story] : ['', ''];
    console.log(row(name, story, sight.purses, sight.escrow, sight.decision));
    const due = eachCase.sights[+i];
    if (!sameSight(sight, due)) {
      console.log(row('', '  but it should be', due.purses, due.escrow, due.decision));
      right = false;
    }
  });
  return right;
};

// Plays all cases, one after the other, and shows them. `playCase(eachCase)` promises what was seen.
export const showCases = (console, cases, playCase) => {
  console.log(row('case', 'what happens', 'aSrc,bDst / bSrc,aDst', 'escrow', 'decision'));
  const wrongP = cases.reduce(
    (countP, eachCase) =>
      E.when(countP, count =>
        E.when(playCase(eachCase), seen => (showCase(console, eachCase, seen) ? count : count + 1)),
      ),
    0,
  );
  return E.when(wrongP, wrong => {
    if (wrong !== 0) {
      throw Error(`${wrong} of ${cases.length} cases differ`);
    }
    console.log(`All ${cases.length} cases end as they should.`);
  });
};

// What is known of a decision, to be read at any time.
export const watch = decisionP => {
  let known = 'pending';
  E.when(
    decisionP,
    _ => {
      known = 'ok';
    },
    reason => {
      known = `rejected: ${reason}`;
    },
  );
  return () => known;
};
