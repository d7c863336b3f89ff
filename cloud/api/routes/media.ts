import { z } from 'zod'
import { downloadQuery, idPath, streamQuery } from '../../../shared/contract/api.ts'
import { name } from '../../../shared/contract/segment.ts'
import { mayWatch } from '../caller.ts'
import {
  downloadAnswer,
  playlistAnswer,
  segmentAnswer,
  thumbnailAnswer,
  timestampsAnswer,
} from '../media-answers.ts'
import { findRecording } from '../recording-view.ts'
import { type ApiPorts, type Route, rawRoute } from '../route.ts'
import { audit } from './recordings.ts'

export const segmentPath = z.object({ stream: name, segment: z.string().regex(/^\d{13,15}-\d{6,9}\.mp4$/) })

export function mediaRoutes(ports: ApiPorts): Route[] {
  const { catalogue } = ports
  const shape = { method: 'GET', access: mayWatch, params: idPath } as const
  return [
    rawRoute({
      ...shape,
      path: '/v1/recordings/{id}/download',
      summary: 'Redirects to a file of the recording, for five minutes',
      status: 302,
      query: downloadQuery,
      async handle({ params, query, caller }) {
        const rows = await findRecording(catalogue, params.id, caller)
        const found = await downloadAnswer(ports, rows, query)
        await audit(ports, params.id, caller, `download ${query.stream ?? ''}`.trim())
        return found
      },
    }),
    rawRoute({
      ...shape,
      path: '/v1/recordings/{id}/thumbnail',
      summary: 'Redirects to a picture of the recording',
      status: 302,
      query: streamQuery,
      async handle({ params, query, caller }) {
        return thumbnailAnswer(ports, await findRecording(catalogue, params.id, caller), query.stream)
      },
    }),
    rawRoute({
      ...shape,
      path: '/v1/recordings/{id}/timestamps.csv',
      summary: 'Redirects to the time of every picture',
      status: 302,
      query: streamQuery,
      async handle({ params, query, caller }) {
        return timestampsAnswer(ports, await findRecording(catalogue, params.id, caller), query.stream)
      },
    }),
    rawRoute({
      ...shape,
      path: '/v1/recordings/{id}/playlist.m3u8',
      summary: 'HLS playlist of one stream',
      status: 200,
      query: streamQuery,
      async handle({ params, query, caller }) {
        return playlistAnswer(ports, await findRecording(catalogue, params.id, caller), query.stream)
      },
    }),
    rawRoute({
      ...shape,
      path: '/v1/recordings/{id}/segments/{stream}/{segment}',
      summary: 'Redirects to one segment of the playlist',
      status: 302,
      params: idPath.extend(segmentPath.shape),
      async handle({ params, caller }) {
        return segmentAnswer(ports, await findRecording(catalogue, params.id, caller), params)
      },
    }),
  ]
}
