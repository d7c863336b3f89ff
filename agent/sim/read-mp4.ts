import { AppError } from '../../shared/error.ts'
import { joinAnnexB, splitLengthPrefixed } from '../../shared/media/nal.ts'

export type TimedPicture = { payload: Uint8Array; ptsMs: number }

/** Children of a box by type (ISO/IEC 14496-12, 4.2). Sizes that leave the box end the list. */
function boxes(bytes: Uint8Array): Map<string, Uint8Array[]> {
  const found = new Map<string, Uint8Array[]>()
  const view = viewOf(bytes)
  for (let at = 0; at + 8 <= bytes.length; ) {
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    const short = view.getUint32(at)
    const long = short === 1 && at + 16 <= bytes.length
    const size = long ? Number(view.getBigUint64(at + 8)) : short === 0 ? bytes.length - at : short
    const header = long ? 16 : 8
    if (size < header) break
    const list = found.get(type) ?? []
    found.set(type, [...list, bytes.subarray(at + header, Math.min(at + size, bytes.length))])
    at += size
  }
  return found
}

function child(box: Uint8Array, ...path: string[]): Uint8Array {
  let inner = box
  for (const type of path) {
    const next = boxes(inner).get(type)?.[0]
    if (!next) throw unreadable(`it has no ${path.join('/')}`)
    inner = next
  }
  return inner
}

/** The H.264 track of a plain (not fragmented) MP4: its pictures in decode order as Annex B, with their times. */
export function readMp4(file: Uint8Array): TimedPicture[] {
  try {
    const tracks = boxes(child(file, 'moov')).get('trak') ?? []
    const track = tracks.find((trak) => handlerOf(trak) === 'vide')
    if (!track) throw unreadable('it has no video')
    return readTrack(file, track)
  } catch (cause) {
    if (cause instanceof RangeError) throw unreadable('its tables are damaged')
    throw cause
  }
}

function handlerOf(trak: Uint8Array): string {
  return String.fromCharCode(...child(trak, 'mdia', 'hdlr').subarray(8, 12))
}

function readTrack(file: Uint8Array, trak: Uint8Array): TimedPicture[] {
  const stbl = child(trak, 'mdia', 'minf', 'stbl')
  const tables = boxes(stbl)
  const timescale = timescaleOf(child(trak, 'mdia', 'mdhd'))
  const { lengthBytes, parameterSets } = readAvcConfig(child(stbl, 'stsd'))
  const sizes = readSizes(child(stbl, 'stsz'), file.length)
  const offsets = readOffsets(tables, sizes)
  const times = readTimes(tables, sizes.length)
  const keys = tables.get('stss')?.[0]
  const isKey = keys ? new Set(column(keys, 4, 1, 0)) : undefined
  return sizes.map((size, i) => {
    const offset = offsets[i] ?? 0
    if (offset + size > file.length) throw unreadable('its pictures lie outside of the file')
    const nalUnits = splitLengthPrefixed(file.subarray(offset, offset + size), lengthBytes)
    const sets = !isKey || isKey.has(i + 1) ? parameterSets : []
    return { payload: joinAnnexB([...sets, ...nalUnits]), ptsMs: ((times[i] ?? 0) * 1000) / timescale }
  })
}

function timescaleOf(mdhd: Uint8Array): number {
  return viewOf(mdhd).getUint32(mdhd[0] === 1 ? 20 : 12)
}

/** stsd → avc1 → avcC (ISO/IEC 14496-15, 5.3.3.1). */
function readAvcConfig(stsd: Uint8Array) {
  const entries = boxes(stsd.subarray(8))
  const entry = entries.get('avc1')?.[0] ?? entries.get('avc3')?.[0]
  if (!entry) throw unreadable('its video is not H.264')
  const avcc = child(entry.subarray(78), 'avcC')
  const view = viewOf(avcc)
  const parameterSets: Uint8Array[] = []
  let at = 5
  for (const mask of [0x1f, 0xff]) {
    const count = view.getUint8(at) & mask
    at += 1
    for (let i = 0; i < count; i += 1) {
      const length = view.getUint16(at)
      parameterSets.push(avcc.subarray(at + 2, at + 2 + length))
      at += 2 + length
    }
  }
  const lengthBytes = (view.getUint8(4) & 3) + 1
  if (lengthBytes === 3) throw unreadable('its NAL units have lengths of 3 bytes')
  return { lengthBytes: lengthBytes as 1 | 2 | 4, parameterSets }
}

/** One u32 column of a table whose count stands at `countAt`, rows of `width` u32. */
function column(box: Uint8Array, countAt: number, width: number, index: number): number[] {
  const view = viewOf(box)
  const count = Math.min(view.getUint32(countAt), Math.floor((box.length - countAt - 4) / (4 * width)))
  return Array.from({ length: count }, (_, i) => view.getUint32(countAt + 4 + 4 * (i * width + index)))
}

function readSizes(stsz: Uint8Array, countMax: number): number[] {
  const view = viewOf(stsz)
  const same = view.getUint32(4)
  const count = view.getUint32(8)
  if (count === 0) throw unreadable('its pictures stand in fragments')
  if (count > countMax) throw unreadable('its tables are damaged')
  return same === 0 ? column(stsz, 8, 1, 0) : Array.from({ length: count }, () => same)
}

function readOffsets(tables: Map<string, Uint8Array[]>, sizes: readonly number[]): number[] {
  const stsc = tables.get('stsc')?.[0] ?? new Uint8Array(8)
  const [firsts, perChunks] = [column(stsc, 4, 3, 0), column(stsc, 4, 3, 1)]
  const offsets: number[] = []
  for (const [chunk, start] of chunkOffsets(tables).entries()) {
    const run = firsts.findLastIndex((first) => first <= chunk + 1)
    let at = start
    for (let n = perChunks[run] ?? 0; n > 0 && offsets.length < sizes.length; n -= 1) {
      offsets.push(at)
      at += sizes[offsets.length - 1] ?? 0
    }
  }
  return offsets
}

function chunkOffsets(tables: Map<string, Uint8Array[]>): number[] {
  const stco = tables.get('stco')?.[0]
  if (stco) return column(stco, 4, 1, 0)
  const co64 = tables.get('co64')?.[0] ?? new Uint8Array(8)
  const low = column(co64, 4, 2, 1)
  return column(co64, 4, 2, 0).map((high, i) => high * 2 ** 32 + (low[i] ?? 0))
}

/** stts + ctts: presentation times in units of the timescale. Offsets are signed in both versions of the wild. */
function readTimes(tables: Map<string, Uint8Array[]>, count: number): number[] {
  const durations = runs(tables.get('stts')?.[0], count)
  const offsets = runs(tables.get('ctts')?.[0], count)
  let decode = 0
  return durations.map((duration, i) => {
    const time = decode + ((offsets[i] ?? 0) | 0)
    decode += duration
    return time
  })
}

function runs(box: Uint8Array | undefined, count: number): number[] {
  const values: number[] = []
  if (box) {
    const lengths = column(box, 4, 2, 0)
    for (const [i, value] of column(box, 4, 2, 1).entries()) {
      for (let n = lengths[i] ?? 0; n > 0 && values.length < count; n -= 1) values.push(value)
    }
  }
  while (values.length < count) values.push(0)
  return values
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

function unreadable(why: string): AppError {
  return new AppError('InvalidArgument', `This MP4 cannot be played: ${why}.`, {
    zh: '无法播放此 MP4 文件。',
  })
}
