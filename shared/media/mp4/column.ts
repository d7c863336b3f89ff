type Page = Uint8Array | Uint32Array | Int32Array

const pageBits = 13
const pageLength = 1 << pageBits

/**
 * A column of integers that grows by pages: nothing is copied, and pages that hold only zeros (composition
 * offsets of a stream without B-frames) are never made. What was not set is 0.
 */
export class Column {
  readonly #make: new (
    length: number,
  ) => Page
  readonly #pages: (Page | undefined)[] = []

  constructor(make: new (length: number) => Page) {
    this.#make = make
  }

  set(i: number, value: number): void {
    const page = this.#pages[i >> pageBits] ?? (value === 0 ? undefined : this.#addPage(i >> pageBits))
    if (page) page[i & (pageLength - 1)] = value
  }

  at(i: number): number {
    return this.#pages[i >> pageBits]?.[i & (pageLength - 1)] ?? 0
  }

  #addPage(place: number): Page {
    while (this.#pages.length < place) this.#pages.push(undefined) // No holes: the array stays packed.
    const page = new this.#make(pageLength)
    this.#pages[place] = page
    return page
  }
}
