export default () => Far('bob', { use: (carolP, tag) => carolP ~. note(tag, 2) });
