import type { Server } from 'node:net'
import { AppError } from '../../shared/error.ts'

/** Answers the port: that which was asked for, or for 0 one that is free. `Unavailable`, in words, when it is taken. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new AppError('Unavailable', `Port ${port} is taken or not allowed: choose another.`, {
          cause,
          zh: `端口 ${port} 不可用：请换一个。`,
        }),
      ),
    )
    server.listen(port, host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : port)
    })
  })
}
