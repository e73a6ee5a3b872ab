// @jessie-check
// A caretaker: access that can be taken back. `makeCaretaker(lamp)` gives an object that does what the lamp does until
// `revoke()` is called. Since the lamp is given listeners by those who use it, the caretaker stands between in both
// directions: after `revoke()` the user no longer reaches the lamp, nor the lamp what the user gave it.

export const makeCaretaker = lamp => {
  let open = true;

  const check = () => {
    if (!open) {
      throw Error('revoked');
    }
  };

  // What the user gives to the lamp, as long as access is open.
  const guardListener = listener =>
    Far('guarded listener', {
      changed: state => {
        check();
        return listener ~. changed(state);
      },
    });

  const user = Far('guarded lamp', {
    turnOn: () => {
      check();
      return lamp ~. turnOn();
    },
    turnOff: () => {
      check();
      return lamp ~. turnOff();
    },
    watch: listener => {
      check();
      return lamp ~. watch(guardListener(listener));
    },
  });

  const revoke = () => {
    open = false;
  };

  return harden({ user, revoke });
};
