// expect: none
export default ({ console }) => {
  console.log('x');
};
