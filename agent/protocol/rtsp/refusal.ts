import { AppError, type ErrorKind } from '../../../shared/error.ts'

type Words = { kind: ErrorKind; en: string; zh: string }

const byStatus: Record<number, Words> = {
  401: {
    kind: 'Unauthenticated',
    en: 'the camera refuses the user or the password: check both',
    zh: '摄像机拒绝了用户名或密码：请检查。',
  },
  403: {
    kind: 'Unauthenticated',
    en: 'the camera forbids this user to watch: give it the right to',
    zh: '该用户无权观看：请在摄像机上授权。',
  },
  404: {
    kind: 'NotFound',
    en: 'the camera has no stream at this address: check the path and the channel',
    zh: '摄像机在此地址没有流：请检查路径和通道。',
  },
  453: {
    kind: 'ResourceExhausted',
    en: 'the camera has no bandwidth left: close other viewers of it',
    zh: '摄像机带宽不足：请关闭其他观看者。',
  },
  461: {
    kind: 'FailedPrecondition',
    en: 'the camera does not send in the way it was asked to: add #udp to its address, or take it away',
    zh: '摄像机不支持所请求的传输方式：请在地址后加上或去掉 #udp。',
  },
  503: {
    kind: 'Unavailable',
    en: 'the camera is busy: it may have too many viewers',
    zh: '摄像机繁忙：观看者可能过多。',
  },
}

/** What an RTSP status says, in words; what the camera itself says of it is not repeated. */
export function refusal(status: number, method: string): AppError {
  const words = byStatus[status]
  if (words) return new AppError(words.kind, words.en, { zh: words.zh })
  return new AppError('Unavailable', `the camera answers ${method} with ${status}`, {
    zh: `摄像机对 ${method} 的应答为 ${status}。`,
  })
}

export function loginNeeded(): AppError {
  return new AppError(
    'Unauthenticated',
    'the camera asks for a user and a password: put them into its address',
    {
      zh: '摄像机需要用户名和密码：请写入地址。',
    },
  )
}
