type Column = Uint8Array | Uint32Array | Int32Array

/** A typed array that grows by half. Reading beyond the end gives 0: callers know their length. */
export class GrowingArray<T extends Column> {
  readonly #make: new (
    length: number,
  ) => T
  #array: T
  #length = 0

  constructor(make: new (length: number) => T) {
    this.#make = make
    this.#array = new make(64)
  }

  get length(): number {
    return this.#length
  }

  push(value: number): void {
    if (this.#length === this.#array.length) {
      const larger = new this.#make(Math.ceil(this.#array.length * 1.5))
      larger.set(this.#array)
      this.#array = larger
    }
    this.#array[this.#length] = value
    this.#length += 1
  }

  at(i: number): number {
    return this.#array[i] ?? 0
  }
}
