// Array.from (ECMA-262 23.1.2.1).
({
  from(items, mapper = void 0, thisArg = void 0) {
    const C = this, mapping = mapper !== void 0;
    if (mapping && typeof mapper !== 'function') throw $typeError($describe(mapper) + ' is not a function');
    const method = $iteratorMethod(items);
    if (method === void 0) {
      const source = $toObject(items), len = $lengthOf(source);
      const A = $isConstructor(C) ? new C(len) : $arrayCreate(len);
      for (let k = 0; k < len; k++) {
        const v = source[k];
        $createData(A, k, mapping ? $call(mapper, thisArg, v, k) : v);
      }
      A.length = len;
      return A;
    }
    const standard = C === $Array || !$isConstructor(C);
    if (standard && !mapping) {
      const copy = $copyPlain(items);
      if (copy !== void 0) return copy;
    }
    const A = standard ? [] : new C();
    const iterator = $call(method, items);
    if (typeof iterator !== 'object' && typeof iterator !== 'function' || iterator === null) {
      throw $typeError('Result of the Symbol.iterator method is not an object');
    }
    const next = iterator.next;
    let k = 0;
    for (;;) {
      const result = $call(next, iterator);
      if (typeof result !== 'object' && typeof result !== 'function' || result === null) {
        throw $typeError('Iterator result is not an object');
      }
      if (result.done) {
        A.length = k;
        return A;
      }
      const v = result.value;
      try {
        if (k >= 9007199254740991) throw $typeError('Array length would pass 2^53 - 1');
        $createData(A, k, mapping ? $call(mapper, thisArg, v, k) : v);
      } catch (e) {
        // IteratorClose after a throw: what `return` does is of no account
        try {
          const close = iterator.return;
          if (close !== void 0 && close !== null) $call(close, iterator);
        } catch {}
        throw e;
      }
      k++;
    }
  },
})
