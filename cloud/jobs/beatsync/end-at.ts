import { open } from 'node:fs/promises'
import { beatsyncMoovBytesMax } from '../../../shared/cloud-limits.ts'
import { AppError } from '../../../shared/error.ts'

/**
 * Ends an MP4 at a time: a copy of pictures ends where the last one in the order of decoding does, up to a third of a
 * second late. Only durations change: of the edit lists, the tracks and the movie (ISO/IEC 14496-12, 8.6.6, 8.3.2,
 * 8.2.2). For files of our own making: `moov` in front, boxes of version 0.
 */
export async function endMovieAt(path: string, durationMs: number): Promise<void> {
  await using file = await open(path, 'r+')
  let at = 0
  for (;;) {
    const head = Buffer.alloc(8)
    if ((await file.read(head, 0, 8, at)).bytesRead < 8)
      throw new AppError('Internal', 'The movie has no moov.')
    const sizeBytes = head.readUInt32BE(0)
    if (head.toString('latin1', 4) === 'moov') {
      if (sizeBytes > beatsyncMoovBytesMax) throw new AppError('Internal', 'The moov is too large.')
      const moov = Buffer.alloc(sizeBytes)
      await file.read(moov, 0, sizeBytes, at)
      endMoovAt(moov, durationMs)
      await file.write(moov, 0, sizeBytes, at)
      return
    }
    if (sizeBytes < 8) throw new AppError('Internal', 'The movie has no moov in front.')
    at += sizeBytes
  }
}

/** Changes the bytes of a `moov` box. */
export function endMoovAt(moov: Buffer, durationMs: number): void {
  const mvhd = boxes(moov, 8).find(({ type }) => type === 'mvhd')
  if (!mvhd) throw new AppError('Internal', 'The movie has no mvhd.')
  const timescale = moov.readUInt32BE(mvhd.body + 12)
  const end = Math.round((durationMs * timescale) / 1000)
  const shorten = (at: number) => moov.writeUInt32BE(Math.min(moov.readUInt32BE(at), end), at)
  shorten(mvhd.body + 16)
  for (const trak of boxes(moov, 8).filter(({ type }) => type === 'trak')) {
    for (const box of boxes(moov, trak.body, trak.end)) {
      if (box.type === 'tkhd') shorten(box.body + 20)
      if (box.type !== 'edts') continue
      for (const elst of boxes(moov, box.body, box.end)) endEdits(moov, elst.body, end)
    }
  }
}

/** version and flags, a count, then 12 bytes an edit: duration, media time, rate. */
function endEdits(moov: Buffer, body: number, end: number): void {
  let left = end
  for (let n = 0, at = body + 8; n < moov.readUInt32BE(body + 4); n += 1, at += 12) {
    const duration = Math.min(moov.readUInt32BE(at), left)
    moov.writeUInt32BE(duration, at)
    left -= duration
  }
}

type Box = { type: string; body: number; end: number }

function boxes(bytes: Buffer, from: number, to = bytes.length): Box[] {
  const found: Box[] = []
  for (let at = from; at + 8 <= to; ) {
    const end = at + bytes.readUInt32BE(at)
    if (end < at + 8 || end > to) throw new AppError('Internal', 'A box of the movie is not whole.')
    found.push({ type: bytes.toString('latin1', at + 4, at + 8), body: at + 8, end })
    at = end
  }
  return found
}
