import { AppError } from '../error.ts'
import { amfBytesMax, amfDepthMax, amfKeysMax, amfValuesMax } from '../limits.ts'

/**
 * Action Message Format 0 (Adobe, "amf0-file-format-specification", 2007). Each value is a marker byte and:
 *
 *   0 number       f64                       8 ECMA array   u32 count (a hint), then as object
 *   1 boolean      u8                        10 strict array u32 count, values
 *   2 string       u16 length, UTF-8         11 date         f64 ms, s16 time zone (unused)
 *   3 object       (u16 length, key, value)… 12 long string  u32 length, UTF-8
 *                  0000 09                   13 unsupported  –
 *   5 null         –                         15 XML document as long string
 *   6 undefined    –                         16 typed object u16 length, class name, then as object
 *   7 reference    u16 place of an earlier object or array
 *
 * 4 (movie clip), 14 (record set) and 17 (AMF3) are refused. Objects have no prototype, so a key from the
 * wire is never more than a key; class names are dropped.
 */
export type Amf0Value =
  | number
  | boolean
  | string
  | null
  | undefined
  | Date
  | EcmaArray
  | Amf0Value[]
  | { [key: string]: Amf0Value }

/** Written as ECMA array (`onMetaData`); what is read as one comes as a plain object. */
export class EcmaArray {
  readonly entries: { readonly [key: string]: Amf0Value }

  constructor(entries: { readonly [key: string]: Amf0Value }) {
    this.entries = entries
  }
}

const marker = {
  number: 0,
  boolean: 1,
  string: 2,
  object: 3,
  null: 5,
  undefined: 6,
  reference: 7,
  ecmaArray: 8,
  objectEnd: 9,
  strictArray: 10,
  date: 11,
  longString: 12,
  unsupported: 13,
  xml: 15,
  typedObject: 16,
}

/** All values of a message. InvalidArgument when it is malformed or beyond the bounds in `limits.ts`. */
export function decodeAmf0(bytes: Uint8Array): Amf0Value[] {
  if (bytes.length > amfBytesMax) throw refused(`${bytes.length} bytes, at most ${amfBytesMax} are read`)
  const decoder = new Decoder(bytes)
  const values: Amf0Value[] = []
  while (!decoder.atEnd) values.push(decoder.value(0))
  return values
}

function refused(why: string): AppError {
  return new AppError('InvalidArgument', `AMF0: ${why}`)
}

type Complex = { value: Amf0Value; weight: number; whole: boolean }

class Decoder {
  readonly #bytes: Buffer
  readonly #complex: Complex[] = []
  #at = 0
  #keys = 0
  #values = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  value(depth: number): Amf0Value {
    this.#count(1)
    if (depth > amfDepthMax) throw refused(`values nest deeper than ${amfDepthMax}`)
    const type = this.#take(1).readUInt8()
    switch (type) {
      case marker.number:
        return this.#take(8).readDoubleBE()
      case marker.boolean:
        return this.#take(1).readUInt8() !== 0
      case marker.string:
        return this.#text(this.#take(2).readUInt16BE())
      case marker.longString:
      case marker.xml:
        return this.#text(this.#take(4).readUInt32BE())
      case marker.null:
        return null
      case marker.undefined:
      case marker.unsupported:
        return undefined
      case marker.date:
        return new Date(this.#take(10).readDoubleBE())
      case marker.reference:
        return this.#reference(this.#take(2).readUInt16BE())
      default:
        return this.#complexValue(type, depth)
    }
  }

  #complexValue(type: number, depth: number): Amf0Value {
    if (type === marker.strictArray) return this.#array(depth)
    if (type === marker.typedObject) this.#text(this.#take(2).readUInt16BE())
    if (type === marker.object || type === marker.typedObject) return this.#object(depth)
    if (type === marker.ecmaArray) return this.#object(depth, this.#take(4).readUInt32BE())
    throw refused(`a value of type ${type} is not read here`)
  }

  #array(depth: number): Amf0Value[] {
    const length = this.#take(4).readUInt32BE()
    const array: Amf0Value[] = []
    const entry = this.#open(array)
    for (let i = 0; i < length; i += 1) array.push(this.value(depth + 1))
    this.#close(entry)
    return array
  }

  /** `count` is that of an ECMA array: some senders leave out the end of one that closes the message. */
  #object(depth: number, count?: number): { [key: string]: Amf0Value } {
    const object: { [key: string]: Amf0Value } = Object.create(null)
    const entry = this.#open(object)
    for (let keys = 0; !(keys === count && this.atEnd); keys += 1) {
      const key = this.#text(this.#take(2).readUInt16BE())
      if (key === '' && this.#bytes[this.#at] === marker.objectEnd) {
        this.#at += 1
        break
      }
      this.#keys += 1
      if (this.#keys > amfKeysMax) throw refused(`more than ${amfKeysMax} keys`)
      object[key] = this.value(depth + 1)
    }
    this.#close(entry)
    return object
  }

  /**
   * A reference counts for as many values as what it stands for: otherwise a few bytes could describe a
   * tree that nobody can print. One to an object that is still open would be a cycle.
   */
  #reference(place: number): Amf0Value {
    const entry = this.#complex[place]
    if (!entry) throw refused(`reference ${place} to nothing`)
    if (!entry.whole) throw refused('a cyclic reference')
    this.#count(entry.weight)
    return entry.value
  }

  #open(value: Amf0Value): Complex {
    const entry = { value, weight: this.#values, whole: false }
    this.#complex.push(entry)
    return entry
  }

  #close(entry: Complex): void {
    entry.weight = this.#values - entry.weight
    entry.whole = true
  }

  #count(values: number): void {
    this.#values += values
    if (this.#values > amfValuesMax) throw refused(`more than ${amfValuesMax} values`)
  }

  #text(length: number): string {
    return this.#take(length).toString('utf8')
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length)
      throw refused(`it ends at byte ${this.#bytes.length}, in the middle of a value`)
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}

/** InvalidArgument when values nest too deep (a cycle does) or the message grows beyond its bound. */
export function encodeAmf0(...values: Amf0Value[]): Uint8Array {
  const out = { parts: [] as Uint8Array[], bytes: 0 }
  for (const value of values) encode(out, value, 0)
  return Buffer.concat(out.parts)
}

type Out = { parts: Uint8Array[]; bytes: number }

function put(out: Out, ...parts: Uint8Array[]): void {
  for (const part of parts) out.bytes += part.length
  if (out.bytes > amfBytesMax) throw refused(`a message of more than ${amfBytesMax} bytes is not written`)
  out.parts.push(...parts)
}

function encode(out: Out, value: Amf0Value, depth: number): void {
  if (depth > amfDepthMax) throw refused(`values nest deeper than ${amfDepthMax}`)
  if (typeof value === 'number') put(out, Buffer.of(marker.number), f64(value))
  else if (typeof value === 'boolean') put(out, Buffer.of(marker.boolean, value ? 1 : 0))
  else if (typeof value === 'string') encodeText(out, value)
  else if (value === null) put(out, Buffer.of(marker.null))
  else if (value === undefined) put(out, Buffer.of(marker.undefined))
  else if (value instanceof Date) put(out, Buffer.of(marker.date), f64(value.getTime()), Buffer.of(0, 0))
  else if (value instanceof EcmaArray) {
    put(out, Buffer.of(marker.ecmaArray), u32(Object.keys(value.entries).length))
    encodeEntries(out, value.entries, depth)
  } else if (Array.isArray(value)) {
    put(out, Buffer.of(marker.strictArray), u32(value.length))
    for (const element of value) encode(out, element, depth + 1)
  } else {
    put(out, Buffer.of(marker.object))
    encodeEntries(out, value, depth)
  }
}

function encodeText(out: Out, value: string): void {
  const text = Buffer.from(value)
  if (text.length < 65536) put(out, Buffer.of(marker.string), u16(text.length), text)
  else put(out, Buffer.of(marker.longString), u32(text.length), text)
}

function encodeEntries(out: Out, entries: { readonly [key: string]: Amf0Value }, depth: number): void {
  for (const [name, value] of Object.entries(entries)) {
    const key = Buffer.from(name)
    if (key.length >= 65536) throw refused(`a key of ${key.length} bytes`)
    put(out, u16(key.length), key)
    encode(out, value, depth + 1)
  }
  put(out, Buffer.of(0, 0, marker.objectEnd))
}

function f64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes
}

function u16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff)
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
