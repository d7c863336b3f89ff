import { AppError } from '../../../shared/error.ts'
import type { AudioFormat, SdpMedia, VideoFormat } from './sdp.ts'

/** What is set up of a camera's media. */
export type Track = { control: string; payloadType: number; format: VideoFormat | AudioFormat }

/**
 * The first picture track and the first sound track that can be read. FailedPrecondition, in words, when the
 * camera's pictures cannot be: a recording of its sound alone is not what somebody wants.
 */
export function chooseTracks(medias: readonly SdpMedia[]): Track[] {
  const of = (track: 'video' | 'audio') =>
    medias.flatMap(({ control, payloadType, format }) =>
      format?.track === track ? [{ control, payloadType, format }] : [],
    )
  const [video] = of('video')
  const [audio] = of('audio')
  const pictures = medias.filter(({ kind }) => kind === 'video')
  if ((!video && pictures.length > 0) || (!video && !audio)) throw unreadable(medias)
  return [video, audio].flatMap((track) => (track ? [track] : []))
}

function unreadable(medias: readonly SdpMedia[]): AppError {
  const [lie] = medias.flatMap(({ refused }) => (refused === undefined ? [] : [refused]))
  if (lie !== undefined) return new AppError('FailedPrecondition', lie, { zh: '摄像机的 SDP 描述有误。' })
  const names = medias.map(({ encoding, kind }) => (encoding || kind).replace(/[^\w.+-]/g, '').slice(0, 20))
  return new AppError(
    'FailedPrecondition',
    `the camera sends ${names.join(', ') || 'nothing'}: set it to H.264 or H.265`,
    { zh: '摄像机的编码不受支持：请设置为 H.264 或 H.265。' },
  )
}
