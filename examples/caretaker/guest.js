// @jessie-check
// The program of a guest's vat. He holds on to everything he is ever given.

export default ({ console, name }) => {
  let kept = undefined;

  const tell = (title, answerP) =>
    E.when(
      answerP,
      _ => console.log(`  ${name}: ${title}: done`),
      error => console.log(`  ${name}: ${title}: refused, ${error.message}`),
    );

  const listener = Far('listener', {
    changed: state => {
      console.log(`  ${name}: I am told that the lamp is ${state}`);
    },
  });

  return Far('guest', {
    take: lamp => {
      kept = lamp;
      return tell('I may watch', kept ~. watch(listener));
    },
    play: () => tell('I turn the lamp on', kept ~. turnOn()),
    // Somebody who was given the lamp by somebody who was given it has no more than that.
    lend: friend => friend ~. take(kept),
  });
};
