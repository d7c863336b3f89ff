import { z } from 'zod'
import { downloadQuery, idPath, streamQuery } from '../../../shared/contract/api.ts'
import { name } from '../../../shared/contract/segment.ts'
import { mayRead, mayWatch } from '../caller.ts'
import {
  downloadAnswer,
  manifestAnswer,
  playlistAnswer,
  segmentAnswer,
  thumbnailAnswer,
  timestampsAnswer,
} from '../media-answers.ts'
import { findRecording } from '../recording-view.ts'
import { type ApiPorts, type Route, rawRoute } from '../route.ts'
import { audit, noteView } from './recordings.ts'

export const segmentPath = z.object({ stream: name, segment: z.string().regex(/^\d{13,15}-\d{6,9}\.mp4$/) })

const shape = { method: 'GET', access: mayWatch, params: idPath } as const

export function mediaRoutes(ports: ApiPorts): Route[] {
  return [...fileRoutes(ports), ...playlistRoutes(ports)]
}

function fileRoutes(ports: ApiPorts): Route[] {
  const { catalogue } = ports
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
        const found = await timestampsAnswer(
          ports,
          await findRecording(catalogue, params.id, caller),
          query.stream,
        )
        await audit(ports, params.id, caller, `download timestamps ${query.stream ?? ''}`.trim())
        return found
      },
    }),
    rawRoute({
      ...shape,
      access: mayRead,
      path: '/v1/recordings/{id}/manifest.json',
      summary: 'Redirects to what the newest export consists of: files, gaps and clocks of all its streams',
      status: 302,
      async handle({ params, caller }) {
        return manifestAnswer(ports, await findRecording(catalogue, params.id, caller))
      },
    }),
  ]
}

function playlistRoutes(ports: ApiPorts): Route[] {
  const { catalogue } = ports
  return [
    rawRoute({
      ...shape,
      path: '/v1/recordings/{id}/playlist.m3u8',
      summary: 'HLS playlist of one stream',
      status: 200,
      query: streamQuery,
      async handle({ params, query, caller }) {
        const rows = await findRecording(catalogue, params.id, caller)
        await noteView(ports, params.id, caller, query.stream)
        return playlistAnswer(ports, rows, query.stream)
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
