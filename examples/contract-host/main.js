// @jessie-check
// A host, two players and two issuers in five vats: first the rules of the host, one by one, then two trades by a
// contract whose text one player sends to the other.

const trivial = '(a, b) => a + b';
const single = 'answer => answer';
const throwing = '(a, b) => { throw RangeError("not today"); }';

// What of the world a contract sees.
const curious =
  "_ => ['console', typeof console, 'process', typeof process, 'setTimeout', typeof setTimeout, 'E', typeof E].join(' ')";

const showRules = (console, host) => {
  // Where a text is wrong, every engine says in its own words.
  const line = (title, answerP) =>
    E.when(
      answerP,
      answer => `  ${title}: ${answer}`,
      error => `  ${title}: refused, ${error.name === 'SyntaxError' ? error.name : error}`,
    );

  const say = (title, answerP) => E.when(line(title, answerP), text => console.log(text));

  // Both sides of one contract: who has his answer first is nobody's business.
  const sayBoth = (title, source, [one, two], first, second) => {
    const linesP = Promise.all(
      harden([
        line(`${title}: the first has`, host ~. play(one, source, 0, first)),
        line(`${title}: the second has`, host ~. play(two, source, 1, second)),
      ]),
    );
    return E.when(linesP, lines => lines.forEach(text => console.log(text)));
  };

  const steps = harden([
    () =>
      E.when(host ~. setup(trivial), tokens =>
        E.when(sayBoth('both play', trivial, tokens, 3, 5), _ =>
          say('the token is played again', host ~. play(tokens[0], trivial, 0, 3)),
        ),
      ),
    () =>
      E.when(host ~. setup(single), ([token]) =>
        E.when(say('another contract is alleged', host ~. play(token, trivial, 0, 1)), _ =>
          say('another side is alleged', host ~. play(token, single, 1, 1)),
        ).then(_ => say('after that the token is still good', host ~. play(token, single, 0, 'yes'))),
      ),
    () => say('a token of one\'s own', host ~. play(Far('token', {}), single, 0, 1)),
    () => say('a number as a token', host ~. play(7, single, 0, 1)),
    () => say('a text that is no expression', host ~. setup('(a =>')),
    () => say('a text that is two statements', host ~. setup('1; 2')),
    () =>
      E.when(host ~. setup(throwing), tokens => sayBoth('a contract throws', throwing, tokens, 1, 1)),
    () =>
      E.when(host ~. setup(trivial), tokens =>
        sayBoth('an argument is rejected', trivial, tokens, Promise.reject(Error('lost')), 1),
      ),
    () => say('tokens of a contract without parameters', E.get(host ~. setup('() => 1')).length),
    () =>
      E.when(host ~. setup(curious), ([token]) =>
        say('what a contract sees', host ~. play(token, curious, 0, undefined)),
      ),
  ]);
  console.log('The rules of the host');
  return steps.reduce((doneP, step) => E.when(doneP, _ => step()), undefined);
};

const showTrades = (console, vats, host) => {
  const money = vats.make('../escrow/issuer.js', harden({}));
  const stock = vats.make('../escrow/issuer.js', harden({}));
  const aliceMoney = money ~. issue(1000);
  const bobMoney = money ~. issue(1001);
  const aliceStock = stock ~. issue(2002);
  const bobStock = stock ~. issue(2003);
  const alice = vats.make('./player.js', harden({ host, money: aliceMoney, stock: aliceStock }));
  const bob = vats.make('./player.js', harden({ host, money: bobMoney, stock: bobStock }));

  const show = title =>
    E.when(
      Promise.all(
        harden([
          aliceMoney ~. getBalance(),
          bobMoney ~. getBalance(),
          aliceStock ~. getBalance(),
          bobStock ~. getBalance(),
        ]),
      ),
      ([am, bm, as, bs]) => console.log(`${title}: money ${am} and ${bm}, stock ${as} and ${bs}`),
    );

  return E.when(show('In the main purses of Alice and Bob'), _ => bob ~. tradeWell(alice, 1))
    .then(got => console.log(`  Bob trades well with Alice, and has got ${got} money`))
    .then(_ => show('In the main purses now'))
    .then(_ => alice ~. tradeWell(bob, 0))
    .then(got => console.log(`  Alice trades well with Bob, and has got ${got} stock`))
    .then(_ => show('In the main purses now'))
    .then(_ => alice ~. invite(Far('token', {}), '(a, b) => b', 0))
    .then(
      _ => console.log('  Alice plays anything'),
      error => console.log(`  Alice is offered another contract: ${error}`),
    );
};

export default ({ console, vats }) => {
  const host = vats.make('./host.js', harden({}));
  return E.when(showRules(console, host), _ => showTrades(console, vats, host));
};
