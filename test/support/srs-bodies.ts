/**
 * Bodies of SRS's `http_hooks` and answers of its `/api/v1/clients` in the shapes that its versions send. SRS cannot be
 * had here, so they are put together from what it says of itself: `srs_app_http_hooks.cpp` and `srs_app_statistic.cpp`
 * (2.0 of 2015, 4.0 of 2021, 5.0 of 2022), its documentation of HTTP callbacks for 4 to 6, logs in its issues 396, 1210,
 * 1339, 1488 and 2278 (2.0, 3.0, 4.0), and issue 4147 (7.0).
 */
type Body = Readonly<Record<string, unknown>>

export type SrsVersion = { name: string; client: number | string; common: Body; play: Body; publish: Body }

/** The fields of a viewer of `app/stream`, by version. */
export function srsVersions(stream: string, app = 'live'): SrsVersion[] {
  const where = { vhost: '__defaultVhost__', app }
  const query = { stream, param: '?token=123&salt=456' }
  const tcUrl = `rtmp://127.0.0.1:1935/${app}`
  const server = { server_id: 'vid-0xk989d' }
  const ids = { stream_url: `/${app}/${stream}`, stream_id: 'vid-124q9y3' }
  const old = { ip: '172.17.0.1', ...where, stream }
  const four = { ...server, ip: '127.0.0.1', ...where, ...query }
  return [
    { name: '2.0', client: 116, common: old, play: { pageUrl: 'http://p/x.html' }, publish: {} },
    // Over HTTP-FLV it did not know the address.
    {
      name: '2.0 FLV',
      client: 113,
      common: { ...old, ...query, ip: '' },
      play: { pageUrl: '' },
      publish: {},
    },
    {
      name: '3.0',
      client: 290,
      common: { ...old, ...query },
      play: { pageUrl: '' },
      publish: { pageUrl: '', tcUrl },
    },
    { name: '4.0', client: '30x8c79z', common: four, play: { pageUrl: '' }, publish: { tcUrl } },
    {
      name: '6.0',
      client: '341w361a',
      common: { ...four, service_id: '382k7r9c', ...ids },
      play: { pageUrl: '' },
      publish: { tcUrl },
    },
    {
      name: '7.0',
      client: '08g9611r',
      common: { ...four, service_id: '382k7r9c', ...ids },
      play: { pageUrl: '', clients: 3 },
      publish: { tcUrl },
    },
  ]
}

export function srsBody(action: string, { client, common, play, publish }: SrsVersion): Body {
  const own = action === 'on_play' ? play : action === 'on_publish' ? publish : {}
  return { action, client_id: client, ...common, ...own }
}

/** What SRS tells of other things, which no viewer depends on. */
export function srsAsides(version: SrsVersion): Body[] {
  const file = { cwd: '/usr/local/srs', file: './objs/nginx/html/live/x.1420254068776.flv' }
  const hls = {
    duration: 9.36,
    url: 'live/x-1.ts',
    m3u8: './live.m3u8',
    m3u8_url: 'live/x.m3u8',
    seq_no: 100,
  }
  return [
    ...['on_connect', 'on_publish', 'on_unpublish'].map((action) => srsBody(action, version)),
    { ...srsBody('on_close', version), send_bytes: 10240, recv_bytes: 3622 },
    { ...srsBody('on_dvr', version), ...file },
    { ...srsBody('on_hls', version), ...file, ...hls },
  ]
}

type Client = {
  id: number | string
  stream: string
  app?: string
  vhost?: string
  publish?: boolean
  type?: string
}

/** One page of `/api/v1/clients`: before 4.0 ids are numbers; a vhost that is not the default one stands in the URL. */
export function srsClients(clients: readonly Client[], version: 3 | 5): object {
  const ids = version === 3 ? { server: 22_106 } : { server: 'vid-0xk989d', service: '382k7r9c', pid: '1' }
  return {
    code: 0,
    ...ids,
    clients: clients.map(({ id, stream, app = 'live', vhost = '', publish = false, type = 'flv-play' }) => ({
      id,
      vhost: version === 3 ? 22_103 : 'vid-y000397',
      stream: version === 3 ? 22_104 : 'vid-124q9y3',
      ...{ ip: '172.17.0.1', pageUrl: '', swfUrl: '', tcUrl: `rtmp://127.0.0.1:1935/${app}` },
      ...{ url: `${vhost}/${app}/${stream}`, name: stream, type: publish ? 'fmle-publish' : type, publish },
      alive: 31.5,
      ...(version === 3 ? {} : { send_bytes: 634_022, recv_bytes: 3622 }),
      ...(version === 3 ? {} : { kbps: { recv_30s: 0, send_30s: 593 } }),
    })),
  }
}
