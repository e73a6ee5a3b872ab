// Array.prototype.sort and toSorted (ECMA-262 23.1.3.30, 23.1.3.34): a stable merge sort of a dense copy.
//
// `$collect(O, len, skip)` gives `[values but undefined, how many were undefined]`, holes left out (skip) or counted as undefined.
(() => {
  // Sorts `from` (n values), with `to` as room; the array that holds the result.
  function merge(from, n, compare) {
    let to = [];
    // runs of 8 by insertion
    for (let start = 0; start < n; start += 8) {
      const end = start + 8 < n ? start + 8 : n;
      for (let i = start + 1; i < end; i++) {
        const v = from[i];
        let j = i - 1;
        while (j >= start && +compare(from[j], v) > 0) {
          from[j + 1] = from[j];
          j--;
        }
        from[j + 1] = v;
      }
    }
    for (let width = 8; width < n; width *= 2) {
      let out = 0;
      for (let start = 0; start < n; start += 2 * width) {
        let i = start, j = start + width;
        const middle = j < n ? j : n, end = j + width < n ? j + width : n;
        // already in order?
        if (middle < end && +compare(from[middle - 1], from[middle]) <= 0) {
          while (i < end) to[out++] = from[i++];
        } else {
          while (i < middle && j < end) {
            if (+compare(from[i], from[j]) > 0) to[out++] = from[j++];
            else to[out++] = from[i++];
          }
          while (i < middle) to[out++] = from[i++];
          while (j < end) to[out++] = from[j++];
        }
      }
      const other = from;
      from = to;
      to = other;
    }
    return from;
  }

  function sorted(list, compare) {
    const n = list.length;
    if (compare !== void 0) return merge(list, n, compare);
    if ($sortPrimitive(list)) return list;
    const keys = [];
    for (let i = 0; i < n; i++) keys[i] = `${list[i]}`;
    $sortByKeys(list, keys);
    return list;
  }

  return {
    sort(compare) {
      if (compare !== void 0 && typeof compare !== 'function') {
        throw $typeError('The comparison function must be either a function or undefined');
      }
      const O = $toObject(this), len = $lengthOf(O);
      const found = $collect(O, len, true);
      const list = sorted(found[0], compare);
      if ($writeBack(O, list, found[1], len)) return O;
      const n = list.length, filled = n + found[1];
      let k = 0;
      while (k < n) { O[k] = list[k]; k++; }
      while (k < filled) { O[k] = void 0; k++; }
      if (filled < len) while (k < len) { delete O[k]; k++; }
      return O;
    },

    toSorted(compare) {
      if (compare !== void 0 && typeof compare !== 'function') {
        throw $typeError('The comparison function must be either a function or undefined');
      }
      const O = $toObject(this), len = $lengthOf(O);
      if (len > 4294967295) throw $rangeError('Invalid array length');
      const found = $collect(O, len, false);
      const list = sorted(found[0], compare);
      for (let k = list.length; k < len; k++) list[k] = void 0;
      return list;
    },
  };
})()
