import type { Server } from 'node:net'
import { AppError } from '../../shared/error.ts'

type Options = {
  host: string
  port: number
  /** Where the port is set: what a person is told when it is taken. */
  hint: string
}

/** `FailedPrecondition`, in words, when the port is taken or not ours to open. */
export function openPort(server: Server, { host, port, hint }: Options): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(portError(cause, port, hint)))
    server.listen({ host, port, backlog: 1024 }, () => {
      server.removeAllListeners('error')
      server.on('error', () => undefined) // EMFILE at accept: Node goes on accepting.
      resolve()
    })
  })
}

function portError(cause: NodeJS.ErrnoException, port: number, hint: string): AppError {
  if (cause.code === 'EADDRINUSE') {
    return new AppError(
      'FailedPrecondition',
      `port ${port} is taken: stop what holds it, or choose another with ${hint}`,
      {
        cause,
        zh: `端口 ${port} 已被占用：请停止占用它的程序，或用 ${hint} 指定其他端口。`,
      },
    )
  }
  return new AppError(
    'FailedPrecondition',
    `port ${port} cannot be opened (${cause.code}): choose another with ${hint}`,
    {
      cause,
      zh: `无法打开端口 ${port}（${cause.code}）：请用 ${hint} 指定其他端口。`,
    },
  )
}
