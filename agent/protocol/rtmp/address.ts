import { AppError } from '../../../shared/error.ts'
import { rtmpTextCharsMax } from '../../../shared/limits.ts'

/** What is published or played: `rtmp://host/app/name?query`. */
export type RtmpTarget = {
  app: string
  /** As it was sent: whether it is a name is the hub's to say. */
  name: string
  /** Of the name, the app and the address, in this order: encoders hide the query in any of the three. */
  query: URLSearchParams
}

const appPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

function split(text: string): [path: string, query: string] {
  const at = text.indexOf('?')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function checkLength(text: string, what: string): void {
  if (text.length <= rtmpTextCharsMax) return
  throw new AppError('InvalidArgument', `RTMP: the ${what} has ${text.length} characters`)
}

/** What `connect` names. InvalidArgument for an app that is none. */
export type RtmpConnect = { app: string; queries: string[] }

export function parseConnect(app: string, tcUrl: string): RtmpConnect {
  checkLength(app, 'app')
  checkLength(tcUrl, 'address')
  const [path, query] = split(app)
  const name = path.replace(/\/+$/, '')
  if (!appPattern.test(name)) {
    throw new AppError('InvalidArgument', 'RTMP: the address has no app: use rtmp://host/live/name')
  }
  return { app: name, queries: [query, split(tcUrl)[1]].filter((text) => text !== '') }
}

/** InvalidArgument for a name that is too long. */
export function parseTarget({ app, queries }: RtmpConnect, streamName: string): RtmpTarget {
  checkLength(streamName, 'name of the stream')
  const [name, query] = split(streamName)
  return {
    app,
    name,
    query: new URLSearchParams([query, ...queries].filter((text) => text !== '').join('&')),
  }
}

export type RtmpUrl = {
  host: string
  port: number
  app: string
  /** With its query. */
  name: string
  tcUrl: string
}

const defaultPort = 1935

/** `rtmp://host[:port]/app/name[?query]`. InvalidArgument for another. */
export function parseRtmpUrl(text: string): RtmpUrl {
  const url = URL.parse(text)
  const match = /^\/([^/]+)\/([^/].*)$/.exec(url?.pathname ?? '')
  if (url?.protocol !== 'rtmp:' || !url.hostname || !match?.[1] || !match[2]) {
    throw new AppError('InvalidArgument', 'an RTMP address is rtmp://host/app/name', {
      zh: 'RTMP 地址的格式为 rtmp://主机/应用/流名称。',
    })
  }
  const port = url.port === '' ? defaultPort : Number(url.port)
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    app: match[1],
    name: match[2] + url.search,
    tcUrl: `rtmp://${url.hostname}:${port}/${match[1]}`,
  }
}
