export default ({ timer }) => {
  let links = 0;
  const chain = async n => {
    for (let i = 0; i < n; i += 1) {
      await (timer ~. delay(7));
      links += 1;
    }
    return links;
  };
  return Far('timers', { chain });
};
