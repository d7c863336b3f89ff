import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../../shared/error.ts'
import { findFfmpeg } from '../../../shared/node/find-ffmpeg.ts'
import type { ObjectStore } from '../../ports.ts'
import type { CachedFile } from '../../rows/cache.ts'
import { JobError } from '../reason.ts'
import { type Alignment, alignRate } from './align.ts'
import { alignAside } from './align-aside.ts'
import { type Cut, cutOf, type Heard, overlapOf, type Variant } from './cut.ts'
import {
  checkPictures,
  type MediaFile,
  openMediaFile,
  readFacts,
  readSound,
  type Tool,
} from './media-file.ts'
import type { MediaFacts } from './packets.ts'
import { render } from './render.ts'

/** 0 to 100, and what is being done, for a person. */
export type Tell = (percent: number, en: string, zh: string) => void

export type Work = {
  /** Holds `dance` and `bgm`; results are written beside them. */
  directory: string
  variants: readonly Variant[]
  exact: boolean
  tell: Tell
  signal: AbortSignal
}

/** What came of it, but for the files: the same for whoever asks again. */
export type Outcome = Record<string, Alignment & { cut: Cut; overlap: Cut }>
export type Made = { variant: Variant; path: string; sizeBytes: number }

type Read = {
  dance: MediaFile
  bgm: MediaFile
  video: NonNullable<MediaFacts['video']>
  heard: Omit<Heard, 'alignment'>
}

/** From two files to the variants' files and what is known of them. */
export async function compute(work: Work): Promise<{ outcome: Outcome; made: Made[] }> {
  const bin = await findFfmpeg()
  if (bin === undefined) {
    throw new AppError(
      'FailedPrecondition',
      'FFmpeg was not found on the server: install it, see edgereel doctor.',
      {
        zh: '服务器上未找到 FFmpeg，请安装（见 edgereel doctor）。',
      },
    )
  }
  const tool = { bin, signal: work.signal }
  const read = await readBoth(work, tool)
  work.tell(30, 'Looking for the music in the sound of the video', '正在视频声音中查找音乐')
  const heard = { ...read.heard, alignment: await find(read.heard, work.signal) }
  const cuts = work.variants.map((variant) => ({ variant, cut: cutOf(heard, variant) }))
  const made = await renderAll(work, tool, { ...read, alignment: heard.alignment, cuts })
  const overlap = rounded(overlapOf(heard))
  const { offsetMs, score, driftPpm } = heard.alignment
  const found = {
    offsetMs: round(offsetMs),
    score: Math.round(score * 10) / 10,
    driftPpm: Math.round(driftPpm * 10) / 10,
  }
  const outcome = Object.fromEntries(
    cuts.map(({ variant, cut }) => [variant, { ...found, cut: rounded(cut), overlap }]),
  )
  return { outcome, made }
}

const round = (ms: number) => Math.round(ms * 1000) / 1000
const rounded = ({ fromMs, toMs }: Cut): Cut => ({ fromMs: round(fromMs), toMs: round(toMs) })

async function readBoth({ directory, tell }: Work, tool: Tool): Promise<Read> {
  tell(10, 'Checking the files', '正在检查文件')
  const [dance, bgm] = [
    await openMediaFile(join(directory, 'dance')),
    await openMediaFile(join(directory, 'bgm')),
  ]
  const facts = await readFacts(dance, tool)
  const video = checkPictures(dance, facts)
  await readFacts(bgm, tool)
  tell(20, 'Reading the sound of both', '正在读取声音')
  const [danceSound, bgmSound] = await Promise.all([readSound(dance, tool), readSound(bgm, tool)])
  return { dance, bgm, video, heard: { dance: danceSound, bgm: bgmSound, rate: alignRate, pictures: video } }
}

const silentBelow = 1e-3 // −60 dB at the loudest: no music plays there.

async function find({ dance, bgm }: Omit<Heard, 'alignment'>, signal: AbortSignal): Promise<Alignment> {
  const isSilent = (samples: Float32Array) => samples.every((value) => Math.abs(value) < silentBelow)
  if (isSilent(dance)) throw refusal('silent', 'The video is silent.', '视频没有声音内容。')
  if (isSilent(bgm)) throw refusal('silent', 'The music is silent.', '音乐没有声音内容。')
  const found = await alignAside(dance, bgm, signal)
  if (!('refused' in found)) return found
  const { candidates } = found
  if (found.refused === 'unsure') {
    const words =
      'The music fits at two places equally well: give a longer video, or a shorter piece of music.'
    throw refusal('unsure', words, '音乐有两处同样吻合：请提供更长的视频或更短的音乐。', { candidates })
  }
  throw refusal('not_same_song', 'The video does not play this music.', '视频中播放的不是这首音乐。', {
    candidates,
  })
}

function refusal(detail: string, en: string, zh: string, result?: unknown): AppError {
  return new JobError('FailedPrecondition', 'PROCESSING_FAILED', en, { zh, detail, result })
}

type Plan = Pick<Read, 'dance' | 'bgm' | 'video'> & {
  alignment: Alignment
  cuts: { variant: Variant; cut: Cut }[]
}

/** All at once, each in a child of its own; a cut that two variants share is written once. */
async function renderAll(work: Work, tool: Tool, { cuts, ...plan }: Plan): Promise<Made[]> {
  const { directory, exact, tell, signal } = work
  const failed = new AbortController() // One has failed: the other need not go on.
  const both = { ...tool, signal: AbortSignal.any([signal, failed.signal]) }
  const different = cuts.filter(({ cut }, i) => cuts.findIndex((other) => isSameCut(other.cut, cut)) === i)
  const shares = different.map(() => 0)
  const one = async ({ variant, cut }: Plan['cuts'][number], i: number) => {
    const path = join(directory, `${variant}.mp4`)
    const onProgress = (share: number) => {
      shares[i] = share
      const all = shares.reduce((sum, each) => sum + each, 0) / shares.length
      tell(50 + 45 * all, 'Writing the videos', '正在生成视频')
    }
    try {
      return { cut, path, ...(await render({ ...plan, cut, exact, path, onProgress }, both)) }
    } catch (cause) {
      failed.abort(cause)
      throw cause
    }
  }
  const settled = await Promise.allSettled(different.map(one)) // No child is left behind.
  if (failed.signal.aborted) throw signal.aborted ? signal.reason : failed.signal.reason
  const written = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  return cuts.flatMap(({ variant, cut }) => {
    const file = written.find((each) => isSameCut(each.cut, cut))
    return file ? [{ variant, path: file.path, sizeBytes: file.sizeBytes }] : []
  })
}

const isSameCut = (one: Cut, two: Cut) => one.fromMs === two.fromMs && one.toMs === two.toMs

/** All or nothing at each key, under the checksum of what was written. */
export async function storeResult(
  store: ObjectStore,
  key: string,
  { path, sizeBytes }: Made,
): Promise<CachedFile> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  const sha256 = hash.digest('hex')
  const before = await store.head(key)
  if (before?.sha256 !== sha256)
    await store.put(key, createReadStream(path), { sizeBytes, sha256, contentType: 'video/mp4' })
  return { key, sizeBytes, sha256 }
}
