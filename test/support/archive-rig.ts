import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { RecordingDetail } from '../../shared/contract/api.ts'
import type { Gap } from '../../shared/contract/segment.ts'
import { CutProxy, type SentTag, sentPictures, sentSound } from './cut-proxy.ts'
import { decodePictures, decodeSound, probePackets } from './movie-judges.ts'
import { freePort, Program } from './program.ts'

export type Tracks = ('video' | 'audio')[]
/** `converted`: sound that is not AAC, and is AAC in the archive. */
export type Expected = (Tracks[number] | 'converted')[]

const readyMs = 180_000 // The cloud's jobs give way to everything else on the machine.

/** The whole program behind a proxy that notes what publishers send, and what becomes of it in the archive. */
export class ArchiveRig implements AsyncDisposable {
  readonly program: Program
  readonly proxy: CutProxy
  readonly directory: string
  readonly #tokens = new Map<string, Promise<string>>()

  private constructor(program: Program, proxy: CutProxy, directory: string) {
    this.program = program
    this.proxy = proxy
    this.directory = directory
  }

  static async open(): Promise<ArchiveRig> {
    const directory = await mkdtemp(join(tmpdir(), 'edgereel-rtmp-archive-'))
    const port = await freePort()
    const config = `rtmp: { port: ${port} }\nring: { segmentSeconds: 5 }\n`
    const program = await Program.start({ config })
    return new ArchiveRig(program, await CutProxy.before(port), directory)
  }

  get server(): string {
    return `rtmp://127.0.0.1:${this.proxy.port}/live`
  }

  /** The name of a stream with a token to publish it. */
  async key(stream: string): Promise<string> {
    const token = this.#tokens.get(stream) ?? this.program.publisherToken(stream)
    this.#tokens.set(stream, token)
    return `${stream}?token=${await token}`
  }

  async url(stream: string): Promise<string> {
    return `${this.server}/${await this.key(stream)}`
  }

  isLive(stream: string, timeoutMs = 20_000): Promise<void> {
    return this.#is(stream, 'live', timeoutMs)
  }

  /** Its publisher has gone. */
  isWaiting(stream: string, timeoutMs = 20_000): Promise<void> {
    return this.#is(stream, 'waiting', timeoutMs)
  }

  #is(stream: string, wanted: string, timeoutMs: number): Promise<void> {
    type Streams = { streams: { name: string; state: string }[] }
    const reached = async () => {
      const { streams } = await this.program.json<Streams>('/agent/v1/streams')
      return streams.some(({ name, state }) => name === stream && state === wanted)
    }
    return this.program.until(reached, timeoutMs, `${stream} ${wanted}`)
  }

  /** From its first picture on, which the ring already holds. */
  async record(stream: string): Promise<string> {
    const made = await this.program.post<{ id: string }>('/agent/v1/recordings', {
      streams: [stream],
      from: '-60s',
    })
    return made.id
  }

  async stop(id: string): Promise<void> {
    await this.program.post(`/agent/v1/recordings/${id}/stop`)
  }

  async take(id: string, stream: string, part = 1) {
    const detail = await this.program.ready(id, readyMs)
    const response = await this.program.fetch(`/v1/recordings/${id}/download?stream=${stream}&part=${part}`)
    expect(response.status).toBe(200)
    return { detail, movie: await response.bytes() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]()
    await this.program[Symbol.asyncDispose]()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Against what was sent: the first picture decoded is the zero of both. Every unit, each at most 1 ms off. */
export function expectTrue(movie: Uint8Array, tags: readonly SentTag[], tracks: Expected): void {
  const [pictures, sound] = [sentPictures(tags), sentSound(tags)]
  const [video, all] = [probePackets(movie, 'v'), probePackets(movie, 'a')]
  const isConverted = tracks.includes('converted')
  const heardAudio = all.filter(({ discard }) => !discard)
  const audio = isConverted ? [] : all
  expect(video).toHaveLength(tracks.includes('video') ? pictures.length : 0)
  expect(audio).toHaveLength(tracks.includes('audio') ? sound.length : 0)
  const sentZero = pictures[0]?.ptsMs ?? sound[0] ?? 0
  const zero = video[0]?.ptsMs ?? audio[0]?.ptsMs ?? 0
  const offBy = (got: number, sent: number) => Math.abs(got - zero - (sent - sentZero))
  const worst = {
    pictures: Math.max(0, ...video.map(({ ptsMs }, i) => offBy(ptsMs, pictures[i]?.ptsMs ?? 0))),
    decoding: Math.max(0, ...video.map(({ dtsMs }, i) => offBy(dtsMs, pictures[i]?.dtsMs ?? 0))),
    sound: Math.max(0, ...audio.map(({ ptsMs }, i) => offBy(ptsMs, sound[i] ?? 0))),
  }
  const figures = Object.entries(worst).map(([what, ms]) => `${what} ${ms.toFixed(2)} ms`)
  console.log(`${video.length} pictures, ${audio.length} frames; off by at most: ${figures.join(', ')}`)
  for (const ms of Object.values(worst)) expect(ms).toBeLessThanOrEqual(1 + 1e-6)
  if (!isConverted) return
  const ends = [heardAudio[0], heardAudio.at(-1)].map((frame) => frame?.ptsMs ?? Number.NaN)
  console.log(`converted sound: from ${ends[0]} to ${ends[1]} ms, sent: ${sound[0]} to ${sound.at(-1)} ms`)
  expect(offBy(ends[0] ?? 0, sound[0] ?? 0)).toBeLessThanOrEqual(1 + 1e-6)
  expect(offBy(ends[1] ?? 0, sound.at(-1) ?? 0)).toBeLessThanOrEqual(convertedFrameMs)
}

const convertedFrameMs = 128 // 1024 samples at 8 kHz.

/** What arrived of a connection that was cut: its last tags may have been under way. */
function arrived(tags: readonly SentTag[], pictures: number, frames: number): SentTag[] {
  const left = { video: pictures, audio: frames, script: 0 }
  return tags.filter(({ kind, head, sizeBytes }) => {
    const isUnit = head[1] === 1 && sizeBytes > 2
    if (isUnit) left[kind] -= 1
    return isUnit && left[kind] >= 0
  })
}

/** Without the time that was asked for and lies before the stream. */
export function gapsWithin({ from, gaps }: RecordingDetail['streams'][number]): Gap[] {
  return gaps.filter((gap) => gap.from !== from)
}

/** Two parts with a gap between, which says when and why, each of them true to what was sent on its connection. */
export async function expectCut(
  rig: ArchiveRig,
  taken: { id: string; stream: string; firstConnection: number },
) {
  const { id, stream, firstConnection } = taken
  const parts = []
  for (const part of [1, 2]) {
    const { detail, movie } = await rig.take(id, stream, part)
    const [video, audio] = [probePackets(movie, 'v'), probePackets(movie, 'a')]
    const sent = rig.proxy.sent[firstConnection + part - 1] ?? []
    expectTrue(movie, arrived(sent, video.length, audio.length), ['video', 'audio'])
    expect(decodePictures(movie).complaints).toBe('')
    expect(decodeSound(movie)).toBe('')
    const from = detail.streams[0]?.export.files[part - 1]?.from ?? 0
    const wallMs = [...video, ...audio].map(({ ptsMs }) => from + ptsMs)
    parts.push({ of: detail.streams[0], first: Math.min(...wallMs), last: Math.max(...wallMs) })
  }
  const of = parts[0]?.of
  expect(of?.export.files).toHaveLength(2)
  const gaps = of ? gapsWithin(of) : []
  expect(gaps.map(({ cause }) => cause)).toEqual(['source-lost'])
  const [gap] = gaps
  const [before, after] = parts
  console.log(
    `${(after?.first ?? 0) - (before?.last ?? 0)} ms are missing, the gap says ${(gap?.to ?? 0) - (gap?.from ?? 0)}`,
  )
  // A gap is told in the wall time that was estimated when it ended, a part in that of its first segment.
  const slackMs = of?.clock?.boundMs ?? 0
  expect(Math.abs((gap?.from ?? 0) - (before?.last ?? 0))).toBeLessThanOrEqual(slackMs)
  expect(Math.abs((gap?.to ?? 0) - (after?.first ?? 0))).toBeLessThanOrEqual(slackMs)
  expect((gap?.to ?? 0) - (gap?.from ?? 0)).toBeGreaterThan(1000)
}
