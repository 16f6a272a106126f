// Keeps what was made for a key, so that it is made once.

export class Known<Key, Value> extends Map<Key, Value> {
  /** What there is for the key; made where there is nothing yet. */
  of(key: Key, make: () => Value): Value {
    let value = this.get(key);
    if (value === undefined) {
      value = make();
      this.set(key, value);
    }
    return value;
  }
}
