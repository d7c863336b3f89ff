import { readFile } from 'node:fs/promises'
import { AppError } from '../../shared/error.ts'
import { splitAccessUnits, VideoUnitParser } from '../../shared/media/access-unit-parser.ts'
import type { NalCodec } from '../../shared/media/nal.ts'
import { dataTypes, payloadTypes } from '../protocol/jt1078.ts'
import { loadFootage } from './footage.ts'
import { tone } from './vehicle-tone.ts'

/** What a simulated vehicle sends of one round of its film, in order. */
export type VehicleFrame = {
  /** When it is sent, and its stamp, from the beginning of the round. */
  atMs: number
  stampMs: number
  dataType: 0 | 1 | 3
  payloadType: number
  body: Uint8Array
}

export type VehicleFootage = { frames: VehicleFrame[]; durationMs: number }

export type VehicleSoundKind = 'g711a' | 'g711u' | 'none'

const fpsDefault = 25
const soundMs = 40

/** The built-in clip, an .mp4 of H.264, H.264 or H.265 as Annex B; sound is a tone. */
export async function loadVehicleFootage(
  file: string | undefined,
  { fps, sound }: { fps?: number | undefined; sound: VehicleSoundKind },
): Promise<VehicleFootage> {
  const isH265 = file !== undefined && /\.(h265|265|hevc)$/i.test(file)
  const { pictures, durationMs } = isH265 ? await readH265(file, fps) : await loadFootage(file, fps)
  const codec: NalCodec = isH265 ? 'h265' : 'h264'
  const parser = new VideoUnitParser(codec)
  const sendMs = pictures.map(({ ptsMs }) => ptsMs).sort((a, b) => a - b)
  const frames = pictures.map(({ payload, ptsMs }, i): VehicleFrame => {
    const isKey = parser.parse(payload)?.randomAccess ?? false
    const dataType = isKey ? dataTypes.key : dataTypes.predicted
    return {
      atMs: sendMs[i] ?? ptsMs,
      stampMs: ptsMs,
      dataType,
      payloadType: payloadTypes[codec],
      body: payload,
    }
  })
  const tones = sound === 'none' ? [] : soundOf(payloadTypes[sound], durationMs)
  return { frames: [...frames, ...tones].sort((a, b) => a.atMs - b.atMs), durationMs }
}

function soundOf(payloadType: number, durationMs: number): VehicleFrame[] {
  return Array.from({ length: Math.floor(durationMs / soundMs) }, (_, i) => {
    const atMs = i * soundMs
    const body = tone(payloadType, atMs, soundMs)
    return { atMs, stampMs: atMs, dataType: dataTypes.audio, payloadType, body }
  })
}

/** In the order in which it is decoded, at an even rate. */
async function readH265(file: string, fps = fpsDefault) {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new AppError('NotFound', `The file ${file} cannot be read.`, {
      cause,
      zh: `无法读取文件 ${file}。`,
    })
  })
  const units = splitAccessUnits(bytes, 'h265')
  if (units.length === 0) {
    throw new AppError('InvalidArgument', 'This file holds no H.265 pictures.', {
      zh: '此文件不含 H.265 画面。',
    })
  }
  const pictures = units.map((payload, i) => ({ payload, ptsMs: Math.round((i * 1000) / fps) }))
  return { pictures, durationMs: Math.round((units.length * 1000) / fps) }
}
