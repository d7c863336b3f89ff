import { expect, test } from 'vitest'
import { hookBody } from '../../../../agent/control/hook-body.ts'
import { liveClient } from '../../../../agent/live-client.ts'
import { srsBody, srsVersions } from '../../../support/srs-bodies.ts'

const agent = { uuid: 'u-1', name: 'lab', serviceId: 's-1' }
const client = liveClient('10.0.0.7', 'live', new URLSearchParams('room=1'))

const kinds = (body: object) =>
  Object.fromEntries(Object.entries(body).map(([key, value]) => [key, typeof value]))

// A back end that was written for SRS reads ours: each field is there, and of the same kind.
test.each(['on_publish', 'on_unpublish', 'on_play', 'on_stop'] as const)(
  '%s has all that SRS 6 says',
  (action) => {
    const six = srsVersions('cam').find(({ name }) => name === '6.0')
    if (!six) throw new Error('no SRS 6')
    const ours = hookBody({ action, stream: 'cam', transport: 'http', client, reason: 'left' }, agent, 1)
    expect(kinds(ours)).toMatchObject(kinds(srsBody(action, six)))
    expect(ours).toMatchObject({
      app: 'live',
      stream: 'cam',
      param: '?room=1',
      stream_url: '/live/cam',
      vhost: '__defaultVhost__',
    })
  },
)
