// @jessie-check
// The five objects that the public test suite of OCapN talks to, under the swissnums that it knows.

/** Cars by colour and model; each is a symbol: OCapN tells symbols from strings. */
const makeCarFactory = () => specification => {
  if (!Array.isArray(specification) || specification.length !== 2) {
    throw TypeError('a car is specified by [colour, model]');
  }
  const [colour, model] = specification;
  if (typeof colour !== 'symbol' || typeof model !== 'symbol') {
    throw TypeError('colour and model are symbols');
  }
  return () => `Vroom! I am a ${colour.description} ${model.description} car!`;
};

/** Gives back what it is given, and keeps nothing. */
const echo = (...all) => harden(all);

/** Greets whom it is told of. The answer is wanted, and then not looked at. */
const greeter = friend => {
  E.when(friend ~. ('Hello'), _ => undefined, _ => undefined);
};

/** A promise and what settles it. */
const makeResolver = () => {
  const { promise, resolve, reject } = makePromiseKit();
  return harden([promise, { fulfill: value => resolve(value), break: reason => reject(reason) }]);
};

/** What a sturdyref names, wherever it lives. */
const makeEnlivener = net => sturdyref => net.import(sturdyref);

export default ({ net, names }) => {
  const objects = harden([
    ['JadQ0++RzsD4M+40uLxTWVaVqM10DcBJ', makeCarFactory],
    ['IO58l1laTyhcrgDKbEzFOO32MDd6zE5w', echo],
    ['VMDDd1voKWarCe2GvgLbxbVFysNzRPzx', greeter],
    ['IokCxYmMj04nos2JN1TDoY1bT8dXh6Lr', makeResolver],
    ['gi02I1qghIwPiKGKleCQAOhpy3ZtYRpB', makeEnlivener(net)],
  ]);
  const named = objects.map(([swissnum, object]) => names.export(object, swissnum));
  return E.when(Promise.all(named), _ => harden({ greeter, echo }));
};
