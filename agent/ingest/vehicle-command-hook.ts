import { randomUUID } from 'node:crypto'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { type HookPost, postByFetch, signature } from '../control/hook-queue.ts'
import type { CommandSink } from './vehicle-command-queue.ts'

type HookOptions = { url: string; secret: string; clock: Clock; post?: HookPost }

/** The same JSON as one POST to the platform, signed as the agent's other hooks are. */
export function hookSink({ url, secret, clock, post = postByFetch }: HookOptions): CommandSink {
  return {
    display: `hook ${new URL(url).host}`,
    send: async ({ id, json }, signal) => {
      const headers = {
        'content-type': 'application/json',
        'x-edgereel-event': `vehicle-${id}`,
        'x-edgereel-delivery': randomUUID(),
        'x-edgereel-signature': signature(secret, Math.floor(clock.nowMs() / 1000), json),
      }
      const status = await post(url, { headers, body: json, signal }).catch((cause: unknown) => {
        throw new AppError('Unavailable', 'the platform does not answer', { cause, zh: '平台没有响应。' })
      })
      if (status >= 200 && status < 300) return
      const again = status >= 500 || status === 408 || status === 429
      throw new AppError(again ? 'Unavailable' : 'FailedPrecondition', `the platform answered ${status}`, {
        zh: `平台返回 ${status}。`,
      })
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}
