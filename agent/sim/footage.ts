import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../shared/error.ts'
import { splitAccessUnits, VideoUnitParser } from '../../shared/media/access-unit-parser.ts'
import { splitAnnexB } from '../../shared/media/nal.ts'
import { presentationOrder } from '../../shared/media/picture-order.ts'
import { readMp4, type TimedPicture } from './read-mp4.ts'

/** What a simulated camera films: pictures in decode order with their true times, the first shown at 0. */
export type Footage = {
  pictures: TimedPicture[]
  /** From the first picture to the first of the next round. */
  durationMs: number
}

const fpsDefault = 25

/** The built-in clip (`make-clip.sh`), or a file: .mp4, or H.264 as Annex B, with a .tsv of its pictures beside it or without. */
export async function loadFootage(file: string | undefined, fps = fpsDefault): Promise<Footage> {
  if (file === undefined) return footage(await builtInClip())
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new AppError('NotFound', `The file ${file} cannot be read.`, {
      cause,
      zh: `无法读取文件 ${file}。`,
    })
  })
  if (/\.(mp4|mov|m4v)$/i.test(file)) return footage(readMp4(bytes))
  const units = (await unitsOfTable(file, bytes)) ?? splitAccessUnits(bytes, 'h264')
  return footage(atRate(units, fps))
}

async function builtInClip(): Promise<TimedPicture[]> {
  const folder = import.meta.dirname
  const [bytes, text] = await Promise.all([
    readFile(join(folder, 'clip.h264')),
    readFile(join(folder, 'clip.json'), 'utf8'),
  ])
  const { fps, pictures } = JSON.parse(text) as { fps: number; pictures: number[] }
  let end = 0
  return pictures.map((size, i) => {
    end += size
    return { payload: bytes.subarray(end - size, end), ptsMs: (i * 1000) / fps }
  })
}

/** `<stem>.tsv`: number, offset and length of each access unit. */
async function unitsOfTable(file: string, bytes: Uint8Array): Promise<Uint8Array[] | undefined> {
  const table = await readFile(file.replace(/\.[^.]+$/, '.tsv'), 'utf8').catch(() => undefined)
  if (table === undefined) return undefined
  return table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([, offset = 0, length = 0]) => bytes.subarray(offset, offset + length))
}

/** A bare stream has an order of pictures, but no times: they are shown at an even rate. */
function atRate(units: readonly Uint8Array[], fps: number): TimedPicture[] {
  const parser = new VideoUnitParser('h264')
  let config: ReturnType<typeof parser.parse>
  for (const unit of units) config ??= parser.parse(unit)
  if (!config)
    throw new AppError('InvalidArgument', 'This file holds no H.264 pictures.', {
      zh: '此文件不含 H.264 画面。',
    })
  const places = presentationOrder(
    units.map((unit) => ({ nalUnits: splitAnnexB(unit) })),
    config.config,
  )
  return units.map((payload, i) => ({ payload, ptsMs: ((places[i] ?? i) * 1000) / fps }))
}

function footage(pictures: readonly TimedPicture[]): Footage {
  const times = pictures.map(({ ptsMs }) => ptsMs).sort((a, b) => a - b)
  const [first = 0, last = first] = [times[0], times.at(-1)]
  // Whole milliseconds: rounds of the loop follow each other as pictures do.
  const spacing = pictures.length > 1 ? (last - first) / (pictures.length - 1) : 1000 / fpsDefault
  return {
    pictures: pictures.map(({ payload, ptsMs }) => ({ payload, ptsMs: Math.round(ptsMs - first) })),
    durationMs: Math.max(1, Math.round(last - first + spacing)),
  }
}
