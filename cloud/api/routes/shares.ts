import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { shareDefaultS, shareMaxS } from '../../../shared/cloud-limits.ts'
import {
  downloadQuery,
  empty,
  idPath,
  type SharedRecording,
  shareCreated,
  sharePath,
  shareRequest,
  sharesPage,
  streamQuery,
} from '../../../shared/contract/api.ts'
import { AppError } from '../../../shared/error.ts'
import { addShare, findShare, listShares, revokeShare, type ShareRow } from '../../rows/access.ts'
import type { RecordingRows } from '../../rows/recording.ts'
import { type Caller, mayOperate } from '../caller.ts'
import { downloadAnswer, playlistAnswer, segmentAnswer, thumbnailAnswer } from '../media-answers.ts'
import { findRecording, stateOf } from '../recording-view.ts'
import { type ApiPorts, type Route, rawRoute, route } from '../route.ts'
import { goneSharePage, sharePage, wantsPage } from '../share-page.ts'
import { segmentPath } from './media.ts'
import { audit, noteView } from './recordings.ts'

/** `<recording>~<16 hex>`: tells the recording, and nothing of the secret. */
const shareIdPath = z.object({ id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}~[0-9a-f]{16}$/) })

const hashOf = (secret: string) => createHash('sha256').update(secret).digest('hex')

/** Whoever has the secret may watch this one recording, until it expires or is revoked. */
export function shareRoutes(ports: ApiPorts): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/recordings/{id}/shares',
      summary: 'Makes an address under which anyone may watch and download this recording',
      access: mayOperate,
      params: idPath,
      body: shareRequest,
      answer: shareCreated,
      status: 201,
      handle: ({ params, body, caller }) =>
        createShare(ports, params.id, body.expiresInS ?? shareDefaultS, caller),
    }),
    route({
      method: 'GET',
      path: '/v1/recordings/{id}/shares',
      summary: 'Shares of a recording that still open it',
      access: mayOperate,
      params: idPath,
      answer: sharesPage,
      async handle({ params, caller }) {
        await findRecording(ports.catalogue, params.id, caller)
        return { shares: await listShares(ports.catalogue, params.id, ports.clock.nowMs()) }
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/shares/{id}',
      summary: 'Revokes a share, at once',
      access: mayOperate,
      params: shareIdPath,
      answer: empty,
      async handle({ params, caller }) {
        await audit(ports, params.id.split('~')[0] ?? '', caller, `revoke share ${params.id}`)
        await revokeShare(ports.catalogue, params.id, ports.clock.nowMs())
        return {}
      },
    }),
    ...sharedRoutes(ports),
  ]
}

async function createShare(ports: ApiPorts, recording: string, expiresInS: number, caller: Caller) {
  const { catalogue, clock, publicUrl } = ports
  if (expiresInS > shareMaxS) {
    throw new AppError('InvalidArgument', `A share lives at most ${shareMaxS / 86_400} days.`, {
      zh: `分享链接最长有效 ${shareMaxS / 86_400} 天。`,
    })
  }
  await findRecording(catalogue, recording, caller)
  const id = `${recording}~${randomBytes(8).toString('hex')}`
  const secret = randomBytes(32).toString('base64url')
  const createdAt = clock.nowMs()
  const expiresAt = createdAt + expiresInS * 1000
  await audit(ports, recording, caller, `share ${id}`)
  await addShare(catalogue, {
    id,
    secretSha256: hashOf(secret),
    createdAt,
    createdBy: caller.subject,
    expiresAt,
  })
  return { id, url: `${publicUrl?.replace(/\/+$/, '') ?? ''}/s/${secret}`, expiresAt }
}

function sharedRoutes(ports: ApiPorts): Route[] {
  const shape = { method: 'GET', access: 'anyone', params: sharePath } as const
  return [
    rawRoute({
      ...shape,
      path: '/s/{secret}',
      summary: 'The shared recording: a page for browsers, JSON for programs',
      status: 200,
      async handle({ params, headers }) {
        if (!wantsPage(headers)) return Response.json(await sharedView(ports, params.secret))
        try {
          return sharePage(await sharedView(ports, params.secret), params.secret, headers)
        } catch (cause) {
          if (AppError.from(cause).kind !== 'NotFound') throw cause
          return goneSharePage(headers)
        }
      },
    }),
    rawRoute({
      ...shape,
      path: '/s/{secret}/download',
      summary: 'Redirects to a file of the shared recording',
      status: 302,
      query: downloadQuery,
      async handle({ params, query }) {
        const { rows, share } = await openShare(ports, params.secret)
        const found = await downloadAnswer(ports, rows, query)
        await audit(ports, rows.meta.id, { role: 'anyone', subject: `share ${share.id}` }, 'download')
        return found
      },
    }),
    rawRoute({
      ...shape,
      path: '/s/{secret}/thumbnail',
      summary: 'Redirects to a picture of the shared recording',
      status: 302,
      query: streamQuery,
      handle: async ({ params, query }) =>
        thumbnailAnswer(ports, (await openShare(ports, params.secret)).rows, query.stream),
    }),
    rawRoute({
      ...shape,
      path: '/s/{secret}/playlist.m3u8',
      summary: 'HLS playlist of the shared recording',
      status: 200,
      query: streamQuery,
      async handle({ params, query }) {
        const { rows, share } = await openShare(ports, params.secret)
        await noteView(ports, rows.meta.id, { role: 'anyone', subject: `share ${share.id}` }, query.stream)
        return playlistAnswer(ports, rows, query.stream)
      },
    }),
    rawRoute({
      ...shape,
      path: '/s/{secret}/segments/{stream}/{segment}',
      summary: 'Redirects to one segment of the playlist',
      status: 302,
      params: sharePath.extend(segmentPath.shape),
      handle: async ({ params }) =>
        segmentAnswer(ports, (await openShare(ports, params.secret)).rows, params),
    }),
  ]
}

type OpenShare = { rows: RecordingRows; share: ShareRow }

/** One answer for unknown, revoked and expired: an address that is no more says nothing about what it was. */
async function openShare({ catalogue, clock }: ApiPorts, secret: string): Promise<OpenShare> {
  const share = await findShare(catalogue, hashOf(secret), clock.nowMs())
  if (!share)
    throw new AppError('NotFound', 'This share is not valid any more.', { zh: '此分享链接已失效。' })
  const viewer: Caller = { role: 'anyone', subject: `share ${share.id}` }
  return { share, rows: await findRecording(catalogue, share.recording, viewer) }
}

async function sharedView(ports: ApiPorts, secret: string): Promise<SharedRecording> {
  const { rows } = await openShare(ports, secret)
  const { id, title, from, to, createdAt, files = [] } = rows.meta
  const base = `/s/${secret}`
  const streams = rows.streams.map(({ name }) => ({
    name,
    playlist: `${base}/playlist.m3u8?stream=${name}`,
    files: files
      .filter((file) => file.stream === name)
      .map(({ part, from, to, codec, width, height, mp4Bytes }) => {
        const download = `${base}/download?stream=${name}&part=${part}`
        return { part, from, to, codec, width, height, mp4Bytes, download }
      }),
  }))
  const state = await stateOf(ports.catalogue, rows.meta)
  return { id, ...(title === undefined ? {} : { title }), from, to, createdAt, state, streams }
}
