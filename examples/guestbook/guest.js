// @jessie-check
// A guest on another host: `drses run --ref book=STURDYREF examples/guestbook/guest.js NAME TEXT`.

export default ({ console, refs, args }) => {
  const { book } = refs;
  const [name, text] = args;
  const me = Far('reader', {
    entry: ({ number, name: who }) => console.log(`told of entry ${number} by ${who}`),
  });
  book ~. watch(me);
  return E.when(book ~. sign(name, text), number => {
    console.log(`signed as number ${number}`);
    return E.when(book ~. read(), entries => {
      console.log(`the book has ${entries.length}: ${entries.map(entry => entry.name).join(', ')}`);
    });
  });
};
