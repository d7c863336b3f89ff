import type { z } from 'zod'
import { listScanMax } from '../../../shared/cloud-limits.ts'
import {
  auditPage,
  cursorQuery,
  empty,
  holdRequest,
  idPath,
  type RecordingItem,
  recordingDetail,
  recordingItem,
  recordingsPage,
  recordingsQuery,
} from '../../../shared/contract/api.ts'
import { keys } from '../../../shared/contract/segment.ts'
import { AppError } from '../../../shared/error.ts'
import { deleteGraceMs } from '../../../shared/limits.ts'
import { putJson } from '../../jobs/put-json.ts'
import { addAudit, addView, listAudit } from '../../rows/access.ts'
import { work, workKey } from '../../rows/keys.ts'
import { changeRecording, listRecordings, type RecordingRow } from '../../rows/recording.ts'
import { type Caller, mayAdminister, mayOperate, mayWatch } from '../caller.ts'
import { findRecording, recordingDetailOf, recordingItemOf } from '../recording-view.ts'
import { type ApiPorts, type Route, route } from '../route.ts'

export function recordingRoutes(ports: ApiPorts): Route[] {
  const { catalogue } = ports
  return [
    route({
      method: 'GET',
      path: '/v1/recordings',
      summary: 'Recordings, newest first; from and to bound their beginning',
      access: mayWatch,
      query: recordingsQuery,
      answer: recordingsPage,
      handle: ({ query, caller }) => listMatching(ports, query, caller),
    }),
    route({
      method: 'GET',
      path: '/v1/recordings/{id}',
      summary: 'One recording: its streams, gaps, segments and files',
      access: mayWatch,
      params: idPath,
      answer: recordingDetail,
      async handle({ params, caller }) {
        return recordingDetailOf(ports, await findRecording(catalogue, params.id, caller))
      },
    }),
    route({
      method: 'GET',
      path: '/v1/recordings/{id}/audit',
      summary: 'Who viewed, exported, shared, held or deleted a recording, newest first',
      access: mayAdminister,
      params: idPath,
      query: cursorQuery,
      answer: auditPage,
      async handle({ params, query }) {
        const { rows, cursor: next } = await listAudit(catalogue, params.id, query.cursor)
        const entries = rows.map(({ atMs, who, what }) => ({ at: atMs, who, what }))
        return { entries, ...(next !== undefined && { cursor: next }) }
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/recordings/{id}',
      summary: 'Deletes a recording, unless it is on hold',
      access: mayAdminister,
      params: idPath,
      answer: empty,
      handle: ({ params, caller }) => deleteRecording(ports, params.id, caller),
    }),
    route({
      method: 'PUT',
      path: '/v1/recordings/{id}/hold',
      summary: 'Keeps a recording from deletion and retention, or no longer',
      access: mayOperate,
      params: idPath,
      body: holdRequest,
      answer: recordingItem,
      async handle({ params, body, caller }) {
        await findRecording(catalogue, params.id, caller)
        await audit(ports, params.id, caller, body.hold ? 'hold' : 'release')
        return recordingItemOf(catalogue, await setHold(ports, params.id, body.hold))
      },
    }),
  ]
}

/** The object that a rebuilt catalogue reads is there for at least as long as the row says so. */
async function setHold({ store, catalogue }: ApiPorts, id: string, hold: boolean): Promise<RecordingRow> {
  if (hold) await putJson(store, keys.hold(id), { hold })
  const meta = await changeRecording(catalogue, id, (row) => {
    if (row.deletedAt === undefined) return { ...row, hold }
    throw new AppError('NotFound', `The recording ${id} was deleted meanwhile.`, {
      zh: `录像 ${id} 已被删除。`,
    })
  })
  if (!hold) await store.delete(keys.hold(id))
  return meta
}

type ListQuery = z.output<typeof recordingsQuery>
type RecordingsPage = { recordings: RecordingItem[]; cursor?: string }

/** A page may hold fewer than asked, even none, and still go on: it looks at a bounded number of rows. */
async function listMatching(
  { catalogue }: ApiPorts,
  query: ListQuery,
  caller: Caller,
): Promise<RecordingsPage> {
  const limit = query.limit ?? 50
  const recordings: RecordingItem[] = []
  let { cursor } = query
  for (let scanned = 0; scanned < listScanMax; ) {
    const wanted = limit - recordings.length
    const page = await listRecordings(catalogue, {
      ...{ limit: wanted, ...(query.to !== undefined && { before: query.to }) },
      ...(cursor !== undefined && { cursor }),
    })
    scanned += wanted
    for (const meta of page.recordings) {
      if (query.from !== undefined && meta.from < query.from) return { recordings }
      if (matches(meta, query, caller)) recordings.push(await recordingItemOf(catalogue, shown(meta, caller)))
    }
    cursor = page.cursor
    if (cursor === undefined) return { recordings }
    if (recordings.length >= limit) break
  }
  return { recordings, ...(cursor !== undefined && { cursor }) }
}

function matches(meta: RecordingRow, query: ListQuery, caller: Caller): boolean {
  const has = (stream: string | undefined) => stream === undefined || meta.streamNames.includes(stream)
  const title = (meta.title ?? '').toLowerCase()
  return (
    has(query.stream) &&
    has(caller.stream) &&
    (query.label === undefined || meta.labels.includes(query.label)) &&
    (query.title === undefined || title.includes(query.title.toLowerCase()))
  )
}

function shown(meta: RecordingRow, caller: Caller): RecordingRow {
  return caller.stream === undefined ? meta : { ...meta, streamNames: [caller.stream] }
}

async function deleteRecording(ports: ApiPorts, id: string, caller: Caller): Promise<Record<string, never>> {
  const { catalogue, clock } = ports
  const { meta } = await findRecording(catalogue, id, caller)
  if (meta.state !== 'closed') {
    throw new AppError('FailedPrecondition', `The recording ${id} is not finished; stop it first.`, {
      zh: `录像 ${id} 尚未结束，请先停止。`,
    })
  }
  await audit(ports, id, caller, 'delete')
  await changeRecording(catalogue, id, (row) => {
    if (row.hold) {
      throw new AppError('FailedPrecondition', `The recording ${id} is on hold; release it first.`, {
        zh: `录像 ${id} 已被保留，请先解除保留。`,
      })
    }
    const now = clock.nowMs()
    const gsi2sk = workKey(now + deleteGraceMs, row.pk, row.sk)
    return { ...row, deletedAt: now, gsi2pk: work.purge, gsi2sk }
  })
  return {}
}

/** Written before the deed: what was done is known even if the answer was lost. */
export async function audit(ports: ApiPorts, recording: string, caller: Caller, what: string): Promise<void> {
  await addAudit(ports.catalogue, { recording, atMs: ports.clock.nowMs(), who: caller.subject, what })
}

/** That a stream of a recording was watched. */
export async function noteView(
  { catalogue, clock }: ApiPorts,
  recording: string,
  { subject }: Caller,
  stream: string | undefined,
): Promise<void> {
  const what = `view ${stream ?? ''}`.trim()
  await addView(catalogue, { recording, atMs: clock.nowMs(), who: subject, what })
}
