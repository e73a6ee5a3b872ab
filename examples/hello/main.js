// @jessie-check
// Greets everyone who is named on the command line, or the world.
//
// A program is a module. It imports no authority: what it may do comes in as `powers`,
// and this one can do nothing but write to the console.

export default ({ console, args }) => {
  if (args.length === 0) {
    console.log('Hello, world!');
  }
  for (const name of args) {
    console.log(`Hello, ${name}!`);
  }
};
