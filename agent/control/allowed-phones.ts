import { AppError } from '../../shared/error.ts'
import { phonesRememberedMax } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { AgentFile } from './agent-file.ts'

/** The phones that somebody allowed, by key, in `agent.json`. */
export function allowedPhones(file: AgentFile, clock: Pick<Clock, 'nowMs'>) {
  const has = (key: string) => file.record.phones.some(({ id }) => id === key)
  return {
    has,
    /** Durable when it resolves. */
    remember: async (key: string): Promise<void> => {
      if (has(key)) return
      if (file.record.phones.length >= phonesRememberedMax) {
        throw new AppError(
          'ResourceExhausted',
          `${phonesRememberedMax} phones are allowed already: give this one a token`,
          {
            zh: `已允许 ${phonesRememberedMax} 台手机：请为此手机创建令牌。`,
          },
        )
      }
      await file.update((record) => ({
        ...record,
        phones: [...record.phones, { id: key, allowedAt: clock.nowMs() }],
      }))
    },
  }
}
