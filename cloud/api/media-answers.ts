import { mediaUrlS } from '../../shared/cloud-limits.ts'
import { keys, parseSegmentName, segmentName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { type RecordingRows, segmentIds } from '../rows/recording.ts'
import { findSegment, type SegmentRow } from '../rows/segment.ts'
import { hlsPlaylist } from './playlist.ts'
import { rawVideoAnswer } from './raw-video.ts'
import { arrivedSegments, fileTitle, pickStream } from './recording-view.ts'
import { type ApiPorts, redirect } from './route.ts'

// What the routes of a recording and of its shares have in common: each answer is a redirect to an address
// of one object that lives five minutes, or a playlist of such redirects.

const notYet = (what: string, zh: string) => new AppError('NotFound', `${what} is not there yet.`, { zh })

type Download = {
  stream?: string | undefined
  part?: number | undefined
  format?: 'mp4' | 'h264' | undefined
}

/** One file of the newest finished export, or what was received. */
export async function downloadAnswer(
  ports: ApiPorts,
  rows: RecordingRows,
  query: Download,
): Promise<Response> {
  const { store, catalogue, clock } = ports
  const stream = pickStream(rows, query.stream)
  if (query.format === 'h264') {
    const arrived = await arrivedSegments(catalogue, rows, stream, clock.nowMs())
    return rawVideoAnswer(store, rows, inOrder(stream, arrived))
  }
  const files = (rows.meta.files ?? []).filter((file) => file.stream === stream.name)
  const file = files.find((candidate) => candidate.part === (query.part ?? files[0]?.part))
  if (!file) throw notYet('The MP4 of this recording', '该录像的 MP4 尚未生成。')
  const part = files.length > 1 ? `-${file.part}` : ''
  const filename = `${fileTitle(rows)}-${stream.name}${part}.mp4`
  return redirect(
    await store.presignGet({ key: file.key, expiresS: mediaUrlS, filename, contentType: 'video/mp4' }),
  )
}

export async function thumbnailAnswer(
  { store, catalogue, clock }: ApiPorts,
  rows: RecordingRows,
  streamName: string | undefined,
): Promise<Response> {
  const stream = pickStream(rows, streamName)
  for (const row of inOrder(stream, await arrivedSegments(catalogue, rows, stream, clock.nowMs()))) {
    if (row.thumbnail === undefined) continue
    return redirect(
      await store.presignGet({ key: row.thumbnail, expiresS: mediaUrlS, contentType: 'image/jpeg' }),
    )
  }
  throw notYet('A thumbnail of this recording', '该录像的缩略图尚未生成。')
}

export async function timestampsAnswer(
  { store }: ApiPorts,
  rows: RecordingRows,
  streamName: string | undefined,
): Promise<Response> {
  const stream = pickStream(rows, streamName)
  const { id, filesVersion } = rows.meta
  if (filesVersion === undefined) throw notYet('The list of timestamps', '时间戳列表尚未生成。')
  const key = keys.timestamps(id, filesVersion, stream.name)
  const filename = `${fileTitle(rows)}-${stream.name}.csv`
  return redirect(await store.presignGet({ key, expiresS: mediaUrlS, filename, contentType: 'text/csv' }))
}

export async function manifestAnswer({ store }: ApiPorts, { meta }: RecordingRows): Promise<Response> {
  const { id, filesVersion } = meta
  if (filesVersion === undefined) throw notYet('The manifest of the export', '导出清单尚未生成。')
  const key = keys.exportManifest(id, filesVersion)
  const filename = `${id}.json`
  return redirect(
    await store.presignGet({ key, expiresS: mediaUrlS, filename, contentType: 'application/json' }),
  )
}

export async function playlistAnswer(
  { catalogue, clock }: ApiPorts,
  rows: RecordingRows,
  streamName: string | undefined,
): Promise<Response> {
  const stream = pickStream(rows, streamName)
  const arrived = await arrivedSegments(catalogue, rows, stream, clock.nowMs())
  const closed = rows.meta.state === 'closed'
  const text = hlsPlaylist(closed ? inOrder(stream, arrived) : wholeBeginning(stream, arrived), {
    ...{ closed, fromMs: stream.from },
    urlOf: (segment) => `segments/${stream.name}/${segment}.mp4`,
  })
  return new Response(text, { headers: { 'content-type': 'application/vnd.apple.mpegurl' } })
}

/** One segment of the playlist. Only segments of this recording: a share opens nothing else. */
export async function segmentAnswer(
  { store, catalogue }: ApiPorts,
  rows: RecordingRows,
  params: { stream: string; segment: string },
): Promise<Response> {
  const stream = pickStream(rows, params.stream)
  const id = parseSegmentName(params.segment.replace(/\.mp4$/, ''))
  const listed =
    id && stream.runs.some(([epoch, first, last]) => epoch === id.epoch && id.seq >= first && id.seq <= last)
  const row = listed
    ? await findSegment(catalogue, { agent: rows.meta.agent, stream: stream.name, ...id })
    : undefined
  if (!row?.media) throw notYet('This segment', '该片段尚未生成。')
  return redirect(
    await store.presignGet({ key: row.media.key, expiresS: mediaUrlS, contentType: 'video/mp4' }),
  )
}

function inOrder(stream: RecordingRows['streams'][number], arrived: Map<string, SegmentRow>): SegmentRow[] {
  return segmentIds(stream).flatMap((id) => arrived.get(segmentName(id)) ?? [])
}

/** Up to the first that is not an MP4 yet: a playlist that grows may only grow at its end. */
function wholeBeginning(
  stream: RecordingRows['streams'][number],
  arrived: Map<string, SegmentRow>,
): SegmentRow[] {
  const rows = segmentIds(stream).map((id) => arrived.get(segmentName(id)))
  const end = rows.findIndex((row) => row?.status !== 'SUCCESS')
  return rows.slice(0, end === -1 ? rows.length : end).filter((row) => row !== undefined)
}
