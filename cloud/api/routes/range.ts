import type { z } from 'zod'
import { mediaUrlS, rangePlaylistMsMax } from '../../../shared/cloud-limits.ts'
import { rangePlaylistQuery } from '../../../shared/contract/api.ts'
import { name, parseSegmentName } from '../../../shared/contract/segment.ts'
import { AppError } from '../../../shared/error.ts'
import { addView } from '../../rows/access.ts'
import { findSegment, segmentsBetween } from '../../rows/segment.ts'
import { type Caller, mayWatch } from '../caller.ts'
import { nothingArchived, onlyAgentWith } from '../only-agent.ts'
import { hlsPlaylist } from '../playlist.ts'
import { type ApiPorts, type Route, rawRoute, redirect } from '../route.ts'
import { segmentPath } from './media.ts'

/** What the archive holds of a stream between two times, as one HLS playlist, recorded as a recording or not. */
export function rangeRoutes(ports: ApiPorts): Route[] {
  return [
    rawRoute({
      ...{ method: 'GET', access: mayWatch, status: 200 },
      path: '/v1/playlist.m3u8',
      summary: 'HLS playlist of what is archived of a stream in [from, to), at most a day',
      query: rangePlaylistQuery,
      handle: ({ query, caller }) => rangePlaylist(ports, query, caller),
    }),
    rawRoute({
      ...{ method: 'GET', access: mayWatch, status: 302 },
      path: '/v1/segments/{agent}/{stream}/{segment}',
      summary: 'Redirects to one segment of such a playlist, for five minutes',
      params: segmentPath.extend({ agent: name }),
      async handle({ params, caller }) {
        checkStream(caller, params.stream)
        const id = parseSegmentName(params.segment.replace(/\.mp4$/, ''))
        const { agent, stream } = params
        const row = id && (await findSegment(ports.catalogue, { agent, stream, ...id }))
        if (!row?.media || row.deletedAt !== undefined) throw nothingArchived(stream)
        const { key } = row.media
        return redirect(await ports.store.presignGet({ key, expiresS: mediaUrlS, contentType: 'video/mp4' }))
      },
    }),
  ]
}

async function rangePlaylist(
  ports: ApiPorts,
  { agent: given, stream, from, to }: z.output<typeof rangePlaylistQuery>,
  caller: Caller,
): Promise<Response> {
  checkStream(caller, stream)
  if (to <= from || to - from > rangePlaylistMsMax) {
    throw new AppError('InvalidArgument', 'The range must end after it begins, and within 24 hours.', {
      zh: '时间范围无效：结束须晚于开始，且不超过 24 小时。',
    })
  }
  const { catalogue, clock } = ports
  const agent = given ?? (await onlyAgentWith(ports, { stream, from, to }))
  const rows = await Array.fromAsync(segmentsBetween(catalogue, { agent, stream, from, to }))
  if (!rows.some((row) => row.media)) throw nothingArchived(stream)
  const what = `view ${agent}/${stream} ${new Date(from).toISOString()} ${new Date(to).toISOString()}`
  await addView(catalogue, { recording: rangeAudit, atMs: clock.nowMs(), who: caller.subject, what })
  const urlOf = (segment: string) => `segments/${agent}/${stream}/${segment}.mp4`
  const text = hlsPlaylist(rows, { closed: true, fromMs: from, urlOf })
  return new Response(text, { headers: { 'content-type': 'application/vnd.apple.mpegurl' } })
}

/** Views of what no recording claims are listed under this id, which no recording has. */
export const rangeAudit = 'range'

function checkStream(caller: Caller, stream: string): void {
  if (caller.stream !== undefined && caller.stream !== stream) throw nothingArchived(stream)
}
