export default () => {
  const notes = new WeakMap();
  let kept;
  const makeNode = () => {
    const links = [];
    return Far('node', {
      link: other => {
        links.push(other);
      },
      never: () => new Promise(() => 0),
    });
  };
  return Far('root', {
    makeNode,
    keepNode: () => {
      kept = makeNode();
      return kept;
    },
    kept: () => kept,
    forget: () => {
      kept = undefined;
    },
    note: (node, what) => {
      notes.set(node, what);
    },
    recall: node => notes.get(node),
  });
};
