// @jessie-check
// A guest book that other hosts sign: `drses serve --state DIR --listen tcp-testing-only://127.0.0.1:PORT examples/guestbook`
// prints the sturdyref of its root. Who has that may sign and read; nobody may erase.

export default ({ console }) => {
  let entries = harden([]);
  let readers = harden([]);

  return harden({
    sign: (name, text) => {
      if (typeof name !== 'string' || typeof text !== 'string') {
        throw TypeError('a name and a text, please');
      }
      const entry = harden({ number: entries.length + 1, name, text });
      entries = harden([...entries, entry]);
      console.log(`${entry.number}. ${name}: ${text}`);
      readers.forEach(reader => {
        // one whose host has gone is told no more
        E.when(reader ~. entry(entry), _ => undefined, _ => {
          readers = harden(readers.filter(other => other !== reader));
        });
      });
      return entry.number;
    },
    read: () => entries,
    /** Tells `reader` of each new entry. */
    watch: reader => {
      readers = harden([...readers, reader]);
      return entries.length;
    },
  });
};
