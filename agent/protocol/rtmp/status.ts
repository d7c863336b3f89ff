import type { AppError } from '../../../shared/error.ts'
import type { Amf0Value } from '../../../shared/media/amf0.ts'

/** The information object of `onStatus` (RTMP 1.0, section 7.2.2). Players act on `code`, people read the rest. */
export type Status = { level: 'status' | 'error'; code: string; description: string; details?: string }

const fourCcs = ['avc1', 'hvc1', 'av01', 'vp09', 'mp4a', 'Opus', '.mp3']
const forward = 4 // Of fourCcInfoMap: we pass it on, we do not decode.
const multitrackAndModEx = 2 | 4 // Of capsEx.

/** Properties and information of a successful connect; what Enhanced RTMP adds only for those who ask for it. */
export function connected(options: { [key: string]: Amf0Value }): [Amf0Value, Amf0Value] {
  const enhanced = ['fourCcList', 'videoFourCcInfoMap', 'audioFourCcInfoMap', 'capsEx'].some(
    (key) => key in options,
  )
  const infoMap = (codes: string[]) => Object.fromEntries(codes.map((code) => [code, forward]))
  const abilities = enhanced && {
    capsEx: multitrackAndModEx,
    fourCcList: fourCcs,
    videoFourCcInfoMap: infoMap(fourCcs.slice(0, 4)),
    audioFourCcInfoMap: infoMap(fourCcs.slice(4)),
  }
  return [
    { fmsVer: 'FMS/3,5,7,7009', capabilities: 31, mode: 1, ...abilities },
    {
      level: 'status',
      code: 'NetConnection.Connect.Success',
      description: 'Connection succeeded.',
      objectEncoding: 0, // AMF0, also for those who would have liked AMF3.
    },
  ]
}

export const publishStatus = {
  started: (name: string): Status => ({
    level: 'status',
    code: 'NetStream.Publish.Start',
    description: `${name} is now published.`,
    details: name,
  }),
  ended: (name: string): Status => ({
    level: 'status',
    code: 'NetStream.Unpublish.Success',
    description: `${name} is now unpublished.`,
  }),
}

export const playStatus = {
  started: (name: string): Status[] => [
    {
      level: 'status',
      code: 'NetStream.Play.Reset',
      description: `Playing and resetting ${name}.`,
      details: name,
    },
    { level: 'status', code: 'NetStream.Play.Start', description: `Started playing ${name}.`, details: name },
  ],
  ended: (name: string): Status[] => [
    { level: 'status', code: 'NetStream.Play.UnpublishNotify', description: `${name} is now unpublished.` },
    { level: 'status', code: 'NetStream.Play.Stop', description: `Stopped playing ${name}.`, details: name },
  ],
  paused: { level: 'status', code: 'NetStream.Pause.Notify', description: 'Paused.' } as Status,
  unpaused: { level: 'status', code: 'NetStream.Unpause.Notify', description: 'Playing.' } as Status,
}

/** Why publishing or playing was refused. An error that nobody foresaw is not told to strangers. */
export function statusOf(what: 'publish' | 'play', { kind, message }: AppError): Status {
  const description = kind === 'Internal' ? 'something failed here; the log knows more' : message
  const denied = kind === 'Unauthenticated' || kind === 'PermissionDenied'
  if (what === 'publish') {
    return {
      level: 'error',
      code: denied ? 'NetStream.Publish.Denied' : 'NetStream.Publish.BadName',
      description,
    }
  }
  const code = kind === 'NotFound' ? 'NetStream.Play.StreamNotFound' : 'NetStream.Play.Failed'
  return { level: 'error', code, description }
}
