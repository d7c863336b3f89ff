import { z } from 'zod'
import { keys } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { exportFilesMax } from '../../shared/limits.ts'
import { findFfmpeg } from '../../shared/node/find-ffmpeg.ts'
import type { Row } from '../ports.ts'
import {
  changeRecording,
  type ExportFile,
  getRecording,
  type RecordingRow,
  type RecordingStreamRow,
  segmentIds,
} from '../rows/recording.ts'
import { type SegmentRow, segmentsById } from '../rows/segment.ts'
import { getTask, taskKey } from '../rows/task.ts'
import { noteOldVersion } from './delete-objects.ts'
import { rangeOf } from './export-check.ts'
import { exportGaps } from './export-gaps.ts'
import { type PartMovie, planPart } from './export-media.ts'
import { type Part, partsOf } from './export-parts.ts'
import type { JobPorts } from './job-ports.ts'
import { PartReaders } from './part-readers.ts'
import type { Find } from './part-sound.ts'
import { putJson } from './put-json.ts'
import { JobError } from './reason.ts'
import { type JobRun, runJob } from './run-job.ts'
import { timestampsCsv } from './timestamps.ts'
import { mediaBytes, putOnce } from './write-movie.ts'

const exportInput = z.object({
  recording: z.string(),
  version: z.number().int(),
  unavailable: z.record(
    z.string(),
    z.array(z.object({ epoch: z.number(), seq: z.number(), failed: z.boolean() })),
  ),
})
type Input = z.infer<typeof exportInput>

/**
 * Runs the task of an export: MP4 files and a CSV of timestamps for each stream, then the recording's row
 * names them. Keys carry the version, so a run that was killed writes the same objects again.
 */
export async function runExport(
  taskId: string,
  ports: JobPorts,
  signal: AbortSignal,
  find: Find = findFfmpeg,
): Promise<void> {
  const task = await getTask(ports.catalogue, taskId)
  if (task?.kind !== 'export') throw new AppError('NotFound', `There is no export ${taskId}.`)
  const input = exportInput.parse(task.input)
  await runJob(ports, taskKey(taskId), {
    signal,
    work: (run) => exportRecording(input, ports, { ...run, find }),
  })
}

type ExportRun = JobRun & { find: Find }

async function exportRecording(input: Input, ports: JobPorts, run: ExportRun): Promise<Partial<Row>> {
  const rows = await getRecording(ports.catalogue, input.recording)
  if (!rows) throw new AppError('NotFound', `There is no recording ${input.recording}.`)
  if (rows.meta.export?.version !== input.version || rows.meta.deletedAt !== undefined)
    return { result: { superseded: true } }
  const exporter = new Exporter(input, rows.meta, ports, run)
  const streams: Awaited<ReturnType<typeof exporter.exportStream>>[] = []
  for (const stream of rows.streams) exporter.expect(await exporter.segmentsOf(stream))
  for (const stream of rows.streams) streams.push(await exporter.exportStream(stream))
  const { files } = exporter
  await putJson(
    ports.store,
    keys.exportManifest(input.recording, input.version),
    manifestOf(rows.meta, streams, files),
  )
  const before = rows.meta.filesVersion ?? input.version
  for (let version = before; version < input.version; version += 1)
    await noteOldVersion(ports.catalogue, { recording: input.recording, version }, ports.clock.nowMs())
  await changeRecording(ports.catalogue, input.recording, (meta) =>
    meta.export?.version === input.version && meta.deletedAt === undefined
      ? {
          ...meta,
          files,
          filesVersion: input.version,
          counts: Object.fromEntries(streams.map(({ name, units, damaged }) => [name, { units, damaged }])),
          gapCount: streams.reduce((sum, { gaps }) => sum + gaps.length, 0),
        }
      : undefined,
  )
  return { result: { version: input.version, streams, files } }
}

/** All that the catalogue knows of an export, beside its files: it can be made again from this. */
function manifestOf(
  { id, agent, from, to, title, export: made }: RecordingRow,
  streams: readonly unknown[],
  files: readonly ExportFile[],
) {
  return { version: 1, recording: id, agent, title, from, to, export: made, streams, files }
}

class Exporter {
  readonly files: ExportFile[] = []
  readonly #input: Input
  readonly #meta: RecordingRow
  readonly #ports: JobPorts
  readonly #run: ExportRun
  #expectedBytes = 0
  #doneBytes = 0

  constructor(input: Input, meta: RecordingRow, ports: JobPorts, run: ExportRun) {
    this.#input = input
    this.#meta = meta
    this.#ports = ports
    this.#run = run
  }

  /** Counts what is to be read, for the progress. */
  expect(segments: readonly SegmentRow[]): void {
    for (const { video, audio } of segments)
      this.#expectedBytes += (video?.sizeBytes ?? 0) + (audio?.sizeBytes ?? 0)
  }

  /** Those that the task was made with: what has come since makes its own version. */
  async segmentsOf(stream: RecordingStreamRow): Promise<SegmentRow[]> {
    const without = new Set(this.#unavailable(stream).map(({ epoch, seq }) => `${epoch} ${seq}`))
    const ids = segmentIds(stream).filter(({ epoch, seq }) => !without.has(`${epoch} ${seq}`))
    const found = await segmentsById(this.#ports.catalogue, { ...rangeOf(this.#meta, stream), ids })
    return [...found.values()].filter(({ status }) => status === 'SUCCESS')
  }

  async exportStream(stream: RecordingStreamRow) {
    const segments = await this.segmentsOf(stream)
    const { to } = rangeOf(this.#meta, stream)
    const parts = partsOf(segments, { from: this.#meta.from, to })
    const written: Part[] = []
    for (const part of parts) {
      // A part with nothing to show has no file, and the first that has one begins at the recording's `from`.
      if (written.length === 0) part.from = this.#meta.from
      part.number = written.length + 1
      if (await this.#exportPart(stream.name, part)) written.push(part)
    }
    const { key: timestamps, ...count } = await this.#exportTimestamps(stream.name, written)
    const gaps = exportGaps({ from: stream.from, to, gaps: stream.gaps }, segments, this.#unavailable(stream))
    const clock = segments[0] && {
      offsetMs: segments[0].wallOffsetMs,
      boundMs: Math.max(...segments.map((segment) => segment.wallBoundMs)),
      source: segments.some(({ timeSource }) => timeSource === 'arrival') ? 'arrival' : 'device',
    }
    const soundNotes = [...new Set(parts.flatMap(({ soundNote }) => soundNote ?? []))]
    const notes = soundNotes.length > 0 ? { soundNotes } : {}
    return { name: stream.name, parts: written.length, ...count, timestamps, gaps, clock, ...notes }
  }

  async #exportPart(stream: string, part: Part): Promise<boolean> {
    const { store } = this.#ports
    await using movie = await planPart(store, part, this.#run)
    if (!movie) return false
    if (this.files.length >= exportFilesMax) {
      throw new JobError(
        'FailedPrecondition',
        'RESOURCE_LIMIT',
        `The recording has more than ${exportFilesMax} parts.`,
      )
    }
    const key = keys.exportPart(this.#input.recording, this.#input.version, stream, part.number)
    await putOnce(store, key, {
      body: () => this.#movieBytes(movie, stream),
      sizeBytes: movie.plan.totalBytes,
      contentType: 'video/mp4',
      rarelyRead: true, // Watched is the archive's own copy; this one is downloaded once or twice.
    })
    const sha256 = (await store.head(key))?.sha256 ?? ''
    this.files.push(exportFileOf({ stream, key, part, movie, sha256 }))
    return true
  }

  async *#movieBytes(movie: PartMovie, stream: string): AsyncGenerator<Uint8Array> {
    await using readers = new PartReaders(movie.sources)
    yield movie.plan.header
    const from = { tracks: movie.tracks, readerOf: readers.readerOf }
    for await (const bytes of mediaBytes(from, movie.plan.reads(), {
      check: true,
      signal: this.#run.signal,
    })) {
      yield bytes
      this.#doneBytes += bytes.length
      const percent = Math.min(99, (100 * this.#doneBytes) / Math.max(1, this.#expectedBytes))
      await this.#run.progress(percent, stream)
    }
  }

  /** Generated twice, to count its bytes and to store them: a day of timestamps would not fit into the memory. */
  async #exportTimestamps(stream: string, parts: readonly Part[]) {
    const { store } = this.#ports
    const key = keys.timestamps(this.#input.recording, this.#input.version, stream)
    const tally = { units: 0, damaged: 0 }
    let sizeBytes = 0
    for await (const lines of timestampsCsv(store, parts, tally)) sizeBytes += lines.length
    const body = () => timestampsCsv(store, parts)
    await putOnce(store, key, { body, sizeBytes, contentType: 'text/csv; charset=utf-8' })
    return { key, ...tally }
  }

  #unavailable(stream: RecordingStreamRow) {
    return this.#input.unavailable[stream.name] ?? []
  }
}

function exportFileOf(made: {
  stream: string
  key: string
  part: Part
  movie: PartMovie
  sha256: string
}): ExportFile {
  const { stream, key, part, movie, sha256 } = made
  const shown = movie.plan.tracks.filter((track) => track !== undefined)
  const at = movie.video ? movie.tracks.indexOf(movie.video) : 0
  const config = movie.video?.config
  return {
    stream,
    part: part.number,
    key,
    from: part.from,
    to: Math.max(...shown.map((track) => track.shownToMs)) + part.offsetMs,
    codec: movie.tracks.map((track) => track.config.codecString).join(', '),
    width: config?.track === 'video' ? config.width : 0,
    height: config?.track === 'video' ? config.height : 0,
    units: movie.plan.tracks[at]?.samples ?? 0,
    mp4Bytes: movie.plan.totalBytes,
    sha256,
    ...(part.soundNote !== undefined && { soundNote: part.soundNote }),
  }
}
