import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { RecordingDetail } from '../../shared/contract/api.ts'
import type { Program } from './program.ts'

const run = promisify(execFile)

/** A downloaded take, judged by FFmpeg. */
export type Take = {
  detail: RecordingDetail
  /** Presentation times of the pictures, ascending, ms. */
  shownMs: number[]
  /** What timestamps.csv says of each picture: wall ms, and ms from the beginning of the file. Ascending. */
  csv: { wallMs: number; fromStartMs: number }[]
  /** What FFmpeg says when it decodes all of it; empty when it is content. */
  complaints: string
}

/** Waits for the take of this stream and downloads it. */
export async function takeOf(program: Program, stream: string, timeoutMs = 60_000): Promise<Take> {
  let id = ''
  const isListed = async () => {
    const found = (await program.recordings()).find(({ streams }) => streams.includes(stream))
    id = found?.id ?? ''
    return found !== undefined
  }
  await program.until(isListed, timeoutMs, `a recording of ${stream}`)
  return await downloadTake(program, id, stream, timeoutMs)
}

export async function downloadTake(
  program: Program,
  id: string,
  stream: string,
  timeoutMs = 60_000,
): Promise<Take> {
  const detail = await program.ready(id, timeoutMs)
  const path = join(program.data, `${stream}.mp4`)
  const response = await program.fetch(`/v1/recordings/${id}/download?stream=${stream}`)
  if (!response.ok) throw new Error(`${stream}: ${response.status} ${await response.text()}`)
  await writeFile(path, new Uint8Array(await response.arrayBuffer()))
  const csv = await program.fetch(`/v1/recordings/${id}/timestamps.csv?stream=${stream}`)
  return {
    detail,
    shownMs: await shownTimes(path),
    csv: csvTimes(await csv.text()),
    complaints: await decodingComplaints(path),
  }
}

async function shownTimes(path: string): Promise<number[]> {
  const { stdout } = await run(
    'ffprobe',
    ['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0', path],
    { maxBuffer: 1 << 26 },
  )
  const times = stdout
    .trim()
    .split('\n')
    .map((line) => Number.parseFloat(line) * 1000)
  return times.sort((a, b) => a - b)
}

/** All that FFmpeg has to say about a file that it decodes, taking every error for one. */
export async function decodingComplaints(path: string): Promise<string> {
  const options = ['-v', 'error', '-xerror', '-err_detect', 'explode', '-i', path, '-f', 'null', '-']
  return await run('ffmpeg', ['-nostdin', '-threads', '1', ...options]).then(
    ({ stderr }) => stderr,
    (error: { stderr?: string }) => error.stderr ?? 'FFmpeg failed',
  )
}

function csvTimes(csv: string): Take['csv'] {
  const [head = '', ...rows] = csv.trim().split('\n')
  const names = head.split(',')
  const [wall, fromStart] = [names.indexOf('pts_ms'), names.indexOf('from_start_ms')]
  return rows
    .map((row) => row.split(','))
    .map((cells) => ({ wallMs: Number(cells[wall]), fromStartMs: Number(cells[fromStart]) }))
    .sort((x, y) => x.wallMs - y.wallMs)
}

/** Distances between neighbours. */
export function spacings(times: readonly number[]): number[] {
  return times.slice(1).map((time, i) => time - (times[i] ?? time))
}
