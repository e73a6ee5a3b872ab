// @jessie-check
// A lamp in its owner's vat, two guests in vats of their own. The owner lends the lamp to one guest through a caretaker,
// that guest lends it on, and when the owner revokes, it is out of reach of both, and they of it.

import { makeCaretaker } from './caretaker.js';

export default ({ console, vats }) => {
  const lamp = vats.make('./lamp.js', harden({ console }));
  const ada = vats.make('./guest.js', harden({ console, name: 'Ada' }));
  const bob = vats.make('./guest.js', harden({ console, name: 'Bob' }));
  const { user, revoke } = makeCaretaker(lamp);

  console.log('The owner lends the lamp to Ada, who lends it to Bob');
  return E.when(ada ~. take(user), _ => ada ~. lend(bob))
    .then(_ => bob ~. play())
    .then(_ => {
      console.log('The owner revokes');
      revoke();
      return ada ~. play();
    })
    .then(_ => bob ~. play())
    .then(_ => {
      console.log('The owner has the lamp as before');
      return lamp ~. turnOff();
    });
};
