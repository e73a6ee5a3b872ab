// %AsyncFromSyncIteratorPrototype% (ECMA-262 27.1.6): makes an async iterator of what a sync one gives.
({
  asyncFromSync(items) {
    const iterator = $call($iteratorMethod(items), items);
    if (!$isObject(iterator)) throw $typeError('Result of the Symbol.iterator method is not an object');
    const next = iterator.next;
    const close = () => {
      const method = iterator.return;
      if (method !== undefined && method !== null) $call(method, iterator);
    };
    const go = async result => {
      if (!$isObject(result)) throw $typeError('Iterator result is not an object');
      const done = !!result.done;
      const given = result.value;
      if (done) return { value: await given, done };
      let value;
      try {
        value = await given;
      } catch (reason) {
        try {
          close();
        } catch (ignored) {
          // the reason counts
        }
        throw reason;
      }
      return { value, done };
    };
    return {
      next(value) {
        try {
          return go($call(next, iterator, value));
        } catch (reason) {
          return (async () => {
            throw reason;
          })();
        }
      },
      async return(value) {
        const method = iterator.return;
        if (method === undefined || method === null) return { value, done: true };
        const result = $call(method, iterator, value);
        if (!$isObject(result)) throw $typeError('iterator.return() did not return an object');
        const done = !!result.done;
        return { value: await result.value, done };
      },
    };
  },
});
