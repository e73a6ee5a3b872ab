// Array.prototype: the methods that call back (ECMA-262 23.1.3).
//
// A plain array (`$plainLength` >= 0) has no getters, so a value that is not undefined stands there and only of others
// is `k in O` asked. Should a callback make it less plain, the one thing that differs from the standard's order is a
// getter that removes its own property and gives undefined: it is taken for a hole.
({
  forEach(callback, thisArg = void 0) {
    let O = this, len = $plainLength(O);
    const plain = len >= 0;
    if (!plain) { O = $toObject(O); len = $lengthOf(O); }
    if (typeof callback !== 'function') throw $typeError($describe(callback) + ' is not a function');
    for (let k = 0; k < len; k++) {
      if (!plain && !(k in O)) continue;
      const v = O[k];
      if (v !== void 0 || !plain || k in O) $call(callback, thisArg, v, k, O);
    }
  },

  map(callback, thisArg = void 0) {
    let O = this, len = $plainLength(O);
    if (len < 0) { O = $toObject(O); len = $lengthOf(O); }
    if (typeof callback !== 'function') throw $typeError($describe(callback) + ' is not a function');
    let A = $prepared(O, len);
    if (A !== void 0) {
      for (let k = 0; k < len; k++) {
        const v = O[k];
        if (v !== void 0 || k in O) A[k] = $call(callback, thisArg, v, k, O);
        else delete A[k];
      }
      return A;
    }
    A = $speciesCreate(O, len);
    for (let k = 0; k < len; k++) {
      if (k in O) $createData(A, k, $call(callback, thisArg, O[k], k, O));
    }
    return A;
  },

  filter(callback, thisArg = void 0) {
    let O = this, len = $plainLength(O);
    if (len < 0) { O = $toObject(O); len = $lengthOf(O); }
    if (typeof callback !== 'function') throw $typeError($describe(callback) + ' is not a function');
    let to = 0;
    let A = $prepared(O, len);
    if (A !== void 0) {
      for (let k = 0; k < len; k++) {
        const v = O[k];
        if ((v !== void 0 || k in O) && $call(callback, thisArg, v, k, O)) A[to++] = v;
      }
      return $cut(A, to);
    }
    A = $speciesCreate(O, 0);
    for (let k = 0; k < len; k++) {
      if (k in O) {
        const v = O[k];
        if ($call(callback, thisArg, v, k, O)) $createData(A, to++, v);
      }
    }
    return A;
  },

  some(callback, thisArg = void 0) {
    let O = this, len = $plainLength(O);
    const plain = len >= 0;
    if (!plain) { O = $toObject(O); len = $lengthOf(O); }
    if (typeof callback !== 'function') throw $typeError($describe(callback) + ' is not a function');
    for (let k = 0; k < len; k++) {
      if (!plain && !(k in O)) continue;
      const v = O[k];
      if ((v !== void 0 || !plain || k in O) && $call(callback, thisArg, v, k, O)) return true;
    }
    return false;
  },

  every(callback, thisArg = void 0) {
    let O = this, len = $plainLength(O);
    const plain = len >= 0;
    if (!plain) { O = $toObject(O); len = $lengthOf(O); }
    if (typeof callback !== 'function') throw $typeError($describe(callback) + ' is not a function');
    for (let k = 0; k < len; k++) {
      if (!plain && !(k in O)) continue;
      const v = O[k];
      if ((v !== void 0 || !plain || k in O) && !$call(callback, thisArg, v, k, O)) return false;
    }
    return true;
  },

  find(predicate, thisArg = void 0) {
    let O = this, len = $plainLength(O);
    if (len < 0) { O = $toObject(O); len = $lengthOf(O); }
    if (typeof predicate !== 'function') throw $typeError($describe(predicate) + ' is not a function');
    for (let k = 0; k < len; k++) {
      const v = O[k];
      if ($call(predicate, thisArg, v, k, O)) return v;
    }
    return void 0;
  },

  findIndex(predicate, thisArg = void 0) {
    let O = this, len = $plainLength(O);
    if (len < 0) { O = $toObject(O); len = $lengthOf(O); }
    if (typeof predicate !== 'function') throw $typeError($describe(predicate) + ' is not a function');
    for (let k = 0; k < len; k++) {
      if ($call(predicate, thisArg, O[k], k, O)) return k;
    }
    return -1;
  },

  findLast(predicate, thisArg = void 0) {
    let O = this, len = $plainLength(O);
    if (len < 0) { O = $toObject(O); len = $lengthOf(O); }
    if (typeof predicate !== 'function') throw $typeError($describe(predicate) + ' is not a function');
    for (let k = len - 1; k >= 0; k--) {
      const v = O[k];
      if ($call(predicate, thisArg, v, k, O)) return v;
    }
    return void 0;
  },

  findLastIndex(predicate, thisArg = void 0) {
    let O = this, len = $plainLength(O);
    if (len < 0) { O = $toObject(O); len = $lengthOf(O); }
    if (typeof predicate !== 'function') throw $typeError($describe(predicate) + ' is not a function');
    for (let k = len - 1; k >= 0; k--) {
      if ($call(predicate, thisArg, O[k], k, O)) return k;
    }
    return -1;
  },

  reduce(callback, ...initial) {
    let O = this, len = $plainLength(O);
    const plain = len >= 0;
    if (!plain) { O = $toObject(O); len = $lengthOf(O); }
    if (typeof callback !== 'function') throw $typeError($describe(callback) + ' is not a function');
    let k = 0, acc;
    if (initial.length > 0) {
      acc = initial[0];
    } else {
      while (k < len && !(k in O)) k++;
      if (k >= len) throw $typeError('Reduce of empty array with no initial value');
      acc = O[k++];
    }
    for (; k < len; k++) {
      if (!plain && !(k in O)) continue;
      const v = O[k];
      if (v !== void 0 || !plain || k in O) acc = callback(acc, v, k, O);
    }
    return acc;
  },

  reduceRight(callback, ...initial) {
    let O = this, len = $plainLength(O);
    const plain = len >= 0;
    if (!plain) { O = $toObject(O); len = $lengthOf(O); }
    if (typeof callback !== 'function') throw $typeError($describe(callback) + ' is not a function');
    let k = len - 1, acc;
    if (initial.length > 0) {
      acc = initial[0];
    } else {
      while (k >= 0 && !(k in O)) k--;
      if (k < 0) throw $typeError('Reduce of empty array with no initial value');
      acc = O[k--];
    }
    for (; k >= 0; k--) {
      if (!plain && !(k in O)) continue;
      const v = O[k];
      if (v !== void 0 || !plain || k in O) acc = callback(acc, v, k, O);
    }
    return acc;
  },

  flatMap(mapper, thisArg = void 0) {
    const O = $toObject(this), len = $lengthOf(O);
    if (typeof mapper !== 'function') throw $typeError($describe(mapper) + ' is not a function');
    const A = $speciesCreate(O, 0);
    let to = 0;
    for (let k = 0; k < len; k++) {
      if (k in O) {
        const part = $call(mapper, thisArg, O[k], k, O);
        if ($isArray(part)) {
          const n = $lengthOf(part);
          for (let i = 0; i < n; i++) {
            if (i in part) {
              const v = part[i];
              if (to >= 9007199254740991) throw $typeError('Array length would pass 2^53 - 1');
              $createData(A, to++, v);
            }
          }
        } else {
          if (to >= 9007199254740991) throw $typeError('Array length would pass 2^53 - 1');
          $createData(A, to++, part);
        }
      }
    }
    return A;
  },
})
