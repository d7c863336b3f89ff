import { AppError, type ErrorKind } from '../../shared/error.ts'

const words: Record<string, { kind: ErrorKind; en: string; zh: string }> = {
  ECONNREFUSED: {
    kind: 'Unavailable',
    en: 'the camera refuses the connection: is its RTSP on, and the port right?',
    zh: '摄像机拒绝连接：请检查 RTSP 是否开启、端口是否正确。',
  },
  ECONNRESET: { kind: 'Unavailable', en: 'the camera cut the connection', zh: '摄像机断开了连接。' },
  ETIMEDOUT: {
    kind: 'Unavailable',
    en: 'the camera cannot be reached: is it on, and on this network?',
    zh: '无法连接摄像机：请检查电源和网络。',
  },
}
const unreachable = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'])

/** What a socket's error says, for a person. */
export function connectionError(cause: NodeJS.ErrnoException): AppError {
  const { code = '' } = cause
  const known = words[unreachable.has(code) ? 'ETIMEDOUT' : code]
  if (known) return new AppError(known.kind, known.en, { cause, zh: known.zh })
  const isTls = /CERT|SELF_SIGNED|ERR_TLS|ERR_SSL|UNABLE_TO_VERIFY/.test(code)
  if (!isTls)
    return new AppError('Unavailable', `the connection to the camera failed (${code || 'unknown'})`, {
      cause,
    })
  return new AppError(
    'FailedPrecondition',
    'the certificate of the camera is not trusted: give its CA by NODE_EXTRA_CA_CERTS, or use rtsp://',
    { cause, zh: '摄像机证书不受信任：请通过 NODE_EXTRA_CA_CERTS 提供其 CA，或使用 rtsp://。' },
  )
}
